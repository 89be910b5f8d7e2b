"""`mcpobs baseline` and `mcpobs check` as a user runs them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from mcpobs.cli.baseline import BaselineOptions, run_baseline
from mcpobs.cli.check import CheckOptions, run_check
from mcpobs.errors import LakeError, UsageError
from mcpobs.lake import writer
from mcpobs.limits.file import read, read_text
from tests.baseline.plays import START_NS, Call, Play, ordinary, record
from tests.baseline.test_learn import ODD

NOW = START_NS + 20 * 86_400 * 10**9


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return record(tmp_path_factory.mktemp("data") / "lake", ordinary(60) + ODD)


def _mcpobs(*argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mcpobs", *argv],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )


def test_baseline_writes_the_file_to_stdout_and_its_words_to_stderr(lake: Path):
    done = _mcpobs("baseline", "--lake", str(lake))
    assert done.returncode == 0, done.stderr
    assert read_text(done.stdout).session.calls is not None
    assert done.stderr.splitlines()[:3] == [
        "mcpobs: limits from 60 normal of 63 sessions and 430 calls, 2026-11-01 to 2026-11-20: 3 of 4 tools have "
        "numbers of their own",
        "mcpobs: left out 3 of 63 sessions (4.8%): 1 with a loop, 1 of an extreme size, "
        "1 with arguments of an own shape",
        "mcpobs: left out looping: loop: search × 24",
    ]


def test_baseline_then_check_is_the_whole_way(lake: Path, tmp_path: Path):
    path = str(tmp_path / "limits.yaml")
    assert _mcpobs("baseline", "--lake", str(lake), "-o", path).returncode == 0
    done = _mcpobs("check", path, "--lake", str(lake), "--format", "csv")
    assert done.returncode == 1, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "limit,tool,session_id,measured,allowed,calls,last_unix_nano,note,finding,expected"
    assert {line.split(",")[2] for line in lines[1:]} == {"looping", "heavy", "odd"}


def test_a_file_is_not_overwritten_without_force(lake: Path, tmp_path: Path):
    path = tmp_path / "limits.yaml"
    path.write_text("mine")
    with pytest.raises(UsageError, match="is there already"):
        run_baseline(BaselineOptions(lake=str(lake), output=str(path)), NOW)
    assert path.read_text() == "mine"
    assert run_baseline(BaselineOptions(lake=str(lake), output=str(path), force=True), NOW) == 0
    assert read(path).baseline is not None
    assert os.listdir(tmp_path) == ["limits.yaml"]


def test_a_file_that_cannot_be_written_is_one_clear_line(lake: Path, tmp_path: Path):
    with pytest.raises(UsageError, match=r"cannot write .*: No such file or directory"):
        run_baseline(BaselineOptions(lake=str(lake), output=str(tmp_path / "no" / "limits.yaml")), NOW)


def test_json_holds_the_same_limits(lake: Path, capsys: pytest.CaptureFixture[str]):
    run_baseline(BaselineOptions(lake=str(lake)), NOW)
    yaml_text = capsys.readouterr().out
    run_baseline(BaselineOptions(lake=str(lake), json=True), NOW)
    json_text = capsys.readouterr().out
    assert json.loads(json_text)["version"] == 1
    assert read_text(json_text) == read_text(yaml_text)  # JSON is YAML


def test_the_same_traffic_gives_the_same_file(lake: Path, capsys: pytest.CaptureFixture[str]):
    texts = set()
    for _ in range(3):
        run_baseline(BaselineOptions(lake=str(lake)), NOW)
        texts.add(capsys.readouterr().out)
    assert len(texts) == 1


def test_since_and_until_narrow_the_traffic(lake: Path, capsys: pytest.CaptureFixture[str]):
    run_baseline(BaselineOptions(lake=str(lake), since="15d", until="2026-11-18", min_sessions=5), NOW)
    out = capsys.readouterr()
    assert "from: 2026-11-06, to: 2026-11-17" in out.out
    assert "WARNING" not in out.err


def test_too_little_traffic_exits_with_3(tmp_path: Path):
    few = record(tmp_path / "lake", ordinary(12))
    done = _mcpobs("baseline", "--lake", str(few))
    assert done.returncode == 3
    assert done.stdout == ""
    assert done.stderr.startswith(
        "mcpobs: error: too little traffic for a baseline: 12 sessions, and it needs at least 30: 18 more\nhint: with"
    )


def test_prices_of_the_configuration_give_a_cost_cap(lake: Path, home: Path, capsys: pytest.CaptureFixture[str]):
    config = home / ".config" / "mcpobs"
    config.mkdir(parents=True)
    (config / "config.toml").write_text('[prices]\n"*" = 0.01\n')
    run_baseline(BaselineOptions(lake=str(lake)), NOW)
    out = capsys.readouterr()
    cost = read_text(out.out).session.cost_usd
    assert cost is not None
    assert cost.evidence.would_have_cut == 2
    assert "cost_usd" not in out.err


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (BaselineOptions(factor_calls=0.5), "--factor-calls 0.5 is not from 1 to 1000"),
        (BaselineOptions(factor_cost=float("nan")), "--factor-cost nan is not from 1 to 1000"),
        (BaselineOptions(min_sessions=0), "--min-sessions 0 is not at least 1"),
        (BaselineOptions(since="soon"), "--since 'soon' is no time"),
        (BaselineOptions(server="shpo"), "the lake has no server 'shpo'"),
    ],
)
def test_a_wrong_option_is_a_usage_error(options: BaselineOptions, problem: str, lake: Path):
    with pytest.raises(UsageError) as refused:
        run_baseline(replace(options, lake=str(lake)), NOW)
    assert refused.value.message == problem


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (BaselineOptions(strategy="sed"), "--strategy 'sed' is not known"),
        (BaselineOptions(strategy="seed", cut_rate=0.1), "--cut-rate has no meaning with --strategy seed"),
        (BaselineOptions(cut_rate=0.0001), "--cut-rate 0.0001 is not from 0.001 to 0.5"),
        (BaselineOptions(cut_rate=float("nan")), "--cut-rate nan is not from 0.001 to 0.5"),
        (BaselineOptions(update="limits.yaml", output="x"), "--update writes the file that it names"),
    ],
)
def test_options_that_do_not_go_together_are_a_usage_error(options: BaselineOptions, problem: str, lake: Path):
    with pytest.raises(UsageError) as refused:
        run_baseline(replace(options, lake=str(lake)), NOW)
    assert refused.value.message == problem


def test_a_cut_rate_is_written_into_the_file(lake: Path, capsys: pytest.CaptureFixture[str]):
    run_baseline(BaselineOptions(lake=str(lake), cut_rate=0.1), NOW)
    made = read_text(capsys.readouterr().out).baseline
    assert made is not None
    assert (made.strategy, made.cut_rate) == ("cut-rate", 0.1)


@pytest.mark.parametrize("raw", [b"", b"\xef\xbb\xbf"], ids=["plain", "mark"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"], ids=["lf", "crlf"])
def test_an_update_with_the_same_traffic_leaves_the_file(
    lake: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], raw: bytes, end: bytes
):
    path = tmp_path / "limits.yaml"
    run_baseline(BaselineOptions(lake=str(lake), output=str(path), cut_rate=0.1), NOW)
    content = raw + path.read_bytes().replace(b"\n", end)
    path.write_bytes(content)
    path.chmod(0o640)
    assert run_baseline(BaselineOptions(lake=str(lake), update=str(path)), NOW) == 0
    assert capsys.readouterr().out == "nothing moved\n"
    assert path.read_bytes() == content
    run_baseline(BaselineOptions(lake=str(lake), update=str(path), strategy="seed"), NOW)
    assert "session.calls: " in capsys.readouterr().out
    assert read(path).baseline is not None
    assert path.stat().st_mode & 0o777 == 0o640


def test_an_update_learns_as_the_file_was_learned(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    nightly = [replace(play, run="nightly", session=f"n{play.session}") for play in ordinary(40)]
    both = record(tmp_path / "lake", [*nightly, *ordinary(60), *ODD])
    path = tmp_path / "limits.yaml"
    options = BaselineOptions(lake=str(both), run="nightly", factor_calls=2, factor_cost=5)
    run_baseline(replace(options, output=str(path)), NOW)
    assert read(path).baseline is not None
    assert read(path).baseline.run == "nightly"
    before = path.read_bytes()
    run_baseline(BaselineOptions(lake=str(both), update=str(path)), NOW)
    assert path.read_bytes() == before
    assert run_check(CheckOptions(str(path), lake=str(both), run="nightly"), NOW) == 0
    assert run_check(CheckOptions(str(path), lake=str(both)), NOW) == 1
    capsys.readouterr()


def test_no_lake_is_said(tmp_path: Path):
    with pytest.raises(LakeError, match="no lake at"):
        run_baseline(BaselineOptions(lake=str(tmp_path / "none")), NOW)
    (tmp_path / "limits.yaml").write_text("version: 1")
    with pytest.raises(LakeError, match="no lake at"):
        run_check(CheckOptions(str(tmp_path / "limits.yaml"), lake=str(tmp_path / "none")), NOW)


def _limits(tmp_path: Path, text: str) -> str:
    path = tmp_path / "limits.yaml"
    path.write_text("version: 1\n" + text, encoding="utf-8")
    return str(path)


def test_no_breach_is_one_line(lake: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert run_check(CheckOptions(_limits(tmp_path, "session: {calls: 1000}"), lake=str(lake)), NOW) == 0
    assert capsys.readouterr().out == "no breach: 63 sessions, 430 calls checked\n"


def test_a_breach_is_a_row_of_a_table(lake: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert run_check(CheckOptions(_limits(tmp_path, "session: {calls: 100}"), lake=str(lake)), NOW) == 1
    assert capsys.readouterr().out == (
        "1 breach (1 limit broken): 63 sessions, 430 calls checked\n"
        "  session.calls: 1 of 63 sessions over 100\n"
        "\n"
        "limit          tool  session_id  measured  allowed  calls  last (UTC)           note  finding\n"
        "session.calls  -     heavy            120      100    120  2026-11-01 00:01:59  -     limit broken\n"
    )


def test_breaches_as_json(lake: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = _limits(tmp_path, "session: {calls: 100}")
    assert run_check(CheckOptions(path, lake=str(lake), json=True), NOW) == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["limits"], found["sessions"], found["calls"], found["total"]) == (path, 63, 430, 1)
    assert found["rows"][0] | {"limit": "session.calls", "session_id": "heavy", "measured": 120} == found["rows"][0]
    assert found["rows"][0]["finding"] == "limit broken"
    assert [(one["limit"], one["over"], one["compared"]) for one in found["broken"]] == [("session.calls", 1, 63)]


def test_breaches_as_markdown(lake: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    options = CheckOptions(_limits(tmp_path, "session: {calls: 100}"), lake=str(lake), format="markdown")
    assert run_check(options, NOW) == 1
    assert capsys.readouterr().out.splitlines()[4].startswith("| limit | tool | session\\_id |")


def test_a_table_shows_twenty_breaches_and_says_how_many_more(
    lake: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    path = _limits(tmp_path, "session: {calls: 1}")
    assert run_check(CheckOptions(path, lake=str(lake)), NOW) == 1
    out = capsys.readouterr()
    assert len(out.out.splitlines()) == 4 + 20
    assert "mcpobs: 42 more rows are not shown\nhint: --limit 62 shows all" in out.err


def test_a_bad_file_exits_with_2_and_names_the_line(lake: Path, tmp_path: Path):
    path = _limits(tmp_path, "tools:\n  search:\n    calls_per_sesion: 3\n")
    done = _mcpobs("check", path, "--lake", str(lake))
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == (
        f"mcpobs: error: {path}:4: tools.search.calls_per_sesion: unknown key\n"
        "hint: did you mean `calls_per_session`?\n"
    )


def test_nothing_to_check_is_no_success(tmp_path: Path):
    empty = record(tmp_path / "lake", [])
    with pytest.raises(LakeError, match="nothing to check"):
        run_check(CheckOptions(_limits(tmp_path, "session: {calls: 1}"), lake=str(empty)), NOW)


def test_the_file_says_which_server_it_is_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    plays = [Play("a", [Call("x")] * 9), Play("b", [Call("x")] * 9, service="mail")]
    two = record(tmp_path / "lake", plays)
    made = "baseline: {server: mail, from: 2026-11-01, to: 2026-11-02, sessions: 1, calls: 9}\nsession: {calls: 1}"
    options = CheckOptions(_limits(tmp_path, made + "\ntools: {x: {}}"), lake=str(two), format="csv")
    assert run_check(options, NOW) == 1
    assert [line.split(",")[2] for line in capsys.readouterr().out.splitlines()[1:]] == ["b"]


def test_a_damaged_file_is_left_out_and_the_rest_is_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """The damage is in the middle: a reader finds it only when a query asks for that column."""
    lake = record(tmp_path / "lake", ordinary(40))
    writer.commit(lake, wait=True)
    sound = {*lake.rglob("*.parquet")}
    record(lake, [replace(play, session=f"later-{play.session}") for play in ordinary(20)])
    writer.commit(lake, wait=True)
    damaged = max({*lake.rglob("*.parquet")} - sound)
    content = bytearray(damaged.read_bytes())
    content[4 : len(content) // 2] = bytes(len(content) // 2 - 4)
    damaged.chmod(0o600)
    damaged.write_bytes(content)
    assert run_baseline(BaselineOptions(lake=str(lake)), NOW) == 0
    out = capsys.readouterr()
    made = read_text(out.out).baseline
    assert made is not None
    assert 40 <= made.sessions < 60
    assert f"{damaged} cannot be read and is left out" in out.err
    limits = _limits(tmp_path, "session: {calls: 1000}")
    assert run_check(CheckOptions(limits, lake=str(lake)), NOW) == 0
    assert "is left out" in capsys.readouterr().err
