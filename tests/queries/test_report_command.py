"""`mcpobs report`, from its options to what is on stdout and stderr."""

from __future__ import annotations

import csv
import io
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from mcpobs import keys
from mcpobs.cli.report import ReportOptions, run_report
from mcpobs.errors import EXIT_INTERRUPTED, EXIT_OK, EXIT_UNAVAILABLE, EXIT_USAGE, LakeError, UsageError
from mcpobs.lake import writer
from mcpobs.protocol.naming import qualified, session_digest
from mcpobs.queries import catalog
from tests.golden import check
from tests.queries.http_oracle import http_rows
from tests.queries.recorded import SECOND, START, Row, call, spool

GOLDEN = Path(__file__).parent / "golden"
REPORTS = [query.name for query in catalog.reports()]
NOW = START + 3600 * SECOND
Report = Callable[..., tuple[str, str]]


def _traffic() -> list[Row]:
    """A busy server: a loop, an error burst, an odd argument, a heavy session, and a tool that is called seldom."""
    rows = []
    for number in range(240):
        tool = ("search", "fetch", "write")[number % 3]
        rows.append(call(number, tool=tool, session_id=f"quiet-{number // 20:02d}", ms=10 + number % 7))
    rows += [call(300 + n, session_id="looping", args_digest="x", result_digest="y", ms=20) for n in range(8)]
    rows += [call(320 + n, session_id="failing", tool="fetch", outcome="tool_error", ms=90) for n in range(5)]
    rows += [call(340, session_id="attacker", tool="write", flags=["traversal"], ms=11)]
    rows += [call(400 + n, session_id="heavy", tool="search", ms=12) for n in range(120)]
    rows += [call(600, session_id="patient", tool="seldom", ms=90_000)]
    return rows + http_rows(random.Random(7), 12)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    lake = tmp_path_factory.mktemp("recorded") / "lake"
    rows = _traffic()
    spool(lake, rows[:200])
    writer.commit(lake, wait=True)
    spool(lake, rows[200:])
    return lake


@pytest.fixture
def report(lake: Path, capsys: pytest.CaptureFixture[str]) -> Report:
    def run(*, now: int = NOW, **options: Any) -> tuple[str, str]:
        assert run_report(ReportOptions(**{"lake": str(lake), **options}), now) == EXIT_OK
        done = capsys.readouterr()
        return done.out, done.err

    return run


def test_the_first_line_names_the_highest_p95_in_one_sentence(report: Report) -> None:
    out, err = report(p95=True)
    assert out.splitlines()[0] == (
        "fetch: p95 75.2 ms over 85 calls in the last hour (at least 16.0 ms, 95 % sure); "
        "then search 16.0 ms, write 16.0 ms; too few calls to rank: seldom (1 call, up to 90,000 ms)"
    )
    assert err == ""
    check(GOLDEN / "p95.txt", out)


@pytest.mark.parametrize("form", ["json", "csv", "markdown"])
def test_the_highest_p95_in_every_format(form: str, report: Report) -> None:
    check(GOLDEN / f"p95.{form}", report(p95=True, format=form)[0])


def test_a_tool_with_too_few_calls_never_wins(report: Report) -> None:
    answer = json.loads(report(p95=True, json=True)[0])
    assert [(row["tool"], row["ranked"]) for row in answer["rows"]][-1] == ("seldom", False)
    answer = json.loads(report(p95=True, json=True, min_calls=1)[0])
    assert answer["answer"].startswith("seldom: p95 90,000 ms over 1 call in")


def test_days_later_the_newest_hour_that_has_enough_is_taken_and_named(report: Report) -> None:
    out, _ = report(p95=True, now=NOW + 40 * 86_400 * SECOND)
    assert out.startswith("fetch: p95 75.2 ms over 85 calls in the hour up to 2026-09-21 14:23:20 UTC (at least")


def test_a_chosen_window_is_taken_as_it_is(report: Report) -> None:
    out, _ = report(p95=True, since="2026-09-21T14:23:00Z")
    assert out.startswith("no tool has 5 answered calls since 2026-09-21 14:23:00 UTC; the most is 1; too few")


@pytest.mark.parametrize("name", REPORTS)
@pytest.mark.parametrize("form", ["table", "json", "csv", "markdown"])
def test_every_report_in_every_format(name: str, form: str, report: Report) -> None:
    out, _ = report(name=name, format=form, limit=3)
    check(GOLDEN / f"{name}.{form}", out)


def test_the_trend_is_against_the_time_before_the_window_wherever_that_lies(report: Report, tmp_path: Path) -> None:
    lake = tmp_path / "slower"
    for first, ms in ((0, 1), (20, 10), (40, 20)):
        spool(lake, [call(first + n, ms=ms) for n in range(20)])
        writer.commit(lake, wait=True)
    out, _ = report(name="latency", lake=str(lake), json=True, since="20s", now=START + 60 * SECOND)
    (row,) = json.loads(out)["rows"]
    assert (row["calls"], row["p95_ms"], row["p95_trend"]) == (20, 20.0, 2.0)
    (row,) = json.loads(report(name="latency", lake=str(lake), json=True)[0])["rows"]
    assert (row["calls"], row["p95_trend"]) == (60, None)


def test_calls_before_failures_are_shown_with_an_example(report: Report, tmp_path: Path) -> None:
    steps = [{"tool": "login"}, {"tool": "refund", "outcome": "tool_error"}, {"tool": "search"}, {"tool": "refund"}]
    rows = [call(n, session_id=f"s{n // 40}", **steps[n % 4]) for n in range(160)]
    spool(tmp_path / "refunds", rows)
    out, err = report(name="precursors", lake=str(tmp_path / "refunds"))
    assert [line.split()[:4] for line in out.splitlines()[3:]] == [["refund", "tool", "login", "40"]]
    assert out.splitlines()[0] == (
        "refund fails after login: 40 of 40 calls (100 %), against 0.0 % of the 40 other calls; "
        "next: mcpobs report failures --tool refund"
    )
    assert rows[157]["trace_id"] in out
    assert err == ""


def test_the_overview_answers_the_five_questions(report: Report) -> None:
    out, err = report()
    check(GOLDEN / "overview.table", out)
    assert err == ""
    answers = {row["question"]: row["answer"] for row in json.loads(report(json=True)[0])["rows"]}
    assert len(answers) == 5
    for planted in ("looping", "failing", "attacker", "heavy"):
        assert any(planted in answer for answer in answers.values()), planted


def test_the_digest_begins_with_the_answers(report: Report) -> None:
    out, err = report(name="all")
    head, *tables = out.split("\n\n")[1:]
    assert len(head.splitlines()) == len(catalog.reports())
    for planted in ("looping", "failing", "attacker", "heavy"):
        assert planted in head
    assert tables[0].startswith("How long do tools take")
    assert err == ""


def test_the_digest_answers_every_report_and_has_its_rows(report: Report) -> None:
    page = json.loads(report(name="all", json=True)[0])
    assert {part["report"] for part in page["reports"]} == {query.name for query in catalog.reports()}
    for part in page["reports"]:
        alone = json.loads(report(name=part["report"], json=True)[0])
        assert (part["columns"], part["rows"], part["total"]) == (alone["columns"], alone["rows"], alone["total"])
        assert part["answer"]
    assert sum(page["activity"]["calls"]) == 375
    assert sum(page["activity"]["failed"]) == 5


def test_the_digest_keeps_to_its_filters(report: Report) -> None:
    page = json.loads(report(name="all", json=True, session="failing")[0])
    rows = {part["report"]: part["rows"] for part in page["reports"]}
    assert [row["tool"] for row in rows["latency"]] == ["fetch"]
    assert {row["session_id"] for row in rows["failures"]} == {"failing"}
    assert sum(page["activity"]["calls"]) == 5


def test_the_digest_of_an_answer_that_is_cut_says_where_the_rest_is(report: Report) -> None:
    assert "(5 of 17: mcpobs report sessions)" in report(name="all")[0]


def test_bars_are_drawn_if_asked_for(report: Report) -> None:
    assert "█" in report(name="latency", bars=True)[0]
    assert "█" not in report(name="latency")[0]
    for form in ("json", "csv", "markdown"):
        assert report(name="latency", format=form, bars=True) == report(name="latency", format=form)


def test_a_page_is_written_to_the_file_and_is_the_owners_only(report: Report, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    out, err = report(name="sessions", html=str(page), session="hea")
    assert (out, err) == ("", f"mcpobs: wrote {page} ({page.stat().st_size / 1000:,.0f} kB)\n")
    assert page.stat().st_mode & 0o777 == 0o600
    text = page.read_text()
    assert "heavy" in text
    assert "looping" not in text
    assert "only session hea" in text


def test_a_page_without_a_name_goes_to_stdout_and_is_that_of_all(report: Report) -> None:
    out, err = report(html="")
    assert out.startswith("<!doctype html>")
    assert out == report(name="all", html="-")[0]
    for query in catalog.reports():
        assert f'<section id="{query.name}">' in out
    assert err == ""


def test_an_error_about_an_unwritable_page_has_a_hint(report: Report, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot write .*: Is a directory"):
        report(name="latency", html=str(tmp_path))


def test_a_table_has_twenty_rows_and_says_how_many_are_left_out(report: Report, tmp_path: Path) -> None:
    lake = tmp_path / "wide"
    spool(lake, [call(n, tool=f"t{n}") for n in range(30)])
    out, err = report(name="latency", lake=str(lake))
    assert len(out.splitlines()) == 21
    assert err == "mcpobs: 10 more rows are not shown\nhint: --limit 30 shows all\n"
    out, err = report(name="latency", lake=str(lake), format="csv")
    assert len(list(csv.reader(io.StringIO(out)))) == 31
    assert err == ""


def test_a_session_as_a_sentence_shortens_it_is_accepted(report: Report) -> None:
    whole = report(name="sessions", session="heavy", json=True)[0]
    assert report(name="sessions", session="hea…", json=True)[0] == whole


def test_the_beginning_of_a_session_is_enough(report: Report) -> None:
    answer = json.loads(report(name="sessions", session="hea", json=True)[0])
    assert [row["session_id"] for row in answer["rows"]] == ["heavy"]


def test_a_session_is_found_by_each_id_that_a_user_sees(report: Report, tmp_path: Path) -> None:
    lake, on_the_wire = tmp_path / "named", "0d1f-live-session"
    talk = json.dumps({"conversation": "talk", "trace": "t"})
    own = session_digest(on_the_wire)
    rows = [
        call(0, session_id=qualified("c-1", "ann", None)),
        call(1, session_id=qualified("c-2", "ann", None)),
        call(2, session_id=qualified("c-2", "bob", None)),
        call(3, session_id=qualified(own, "ann", "acme"), session_candidates=talk),
        call(4, session_id=session_digest("x"), session_candidates=json.dumps({"conversation": "talks"})),
    ]
    spool(lake, rows)

    def found(session: str) -> list[str]:
        answer = json.loads(report(name="sessions", lake=str(lake), session=session, json=True)[0])
        return [row["session_id"] for row in answer["rows"]]

    for named in ("c-1", str(rows[0]["session_id"])):
        assert found(named) == [rows[0]["session_id"]]
    for named in (on_the_wire, own, "talk"):
        assert found(named) == [rows[3]["session_id"]]
    with pytest.raises(UsageError, match="several sessions begin with 'c-2'"):
        found("c-2")
    with pytest.raises(UsageError, match="no session 'tal'"):
        found("tal")


def test_the_sessions_say_by_which_rules_they_were_found(report: Report, tmp_path: Path) -> None:
    found = [("protocol_session", "high"), ("principal", "medium"), ("principal", "medium"), ("trace", "low")]
    rows = [
        call(n, session_id=f"s{n}", session_source=source, session_confidence=sure)
        for n, (source, sure) in enumerate(found)
    ]
    spool(tmp_path / "rules", rows)
    out, _ = report(name="sessions", lake=str(tmp_path / "rules"))
    assert out.splitlines()[0] == (
        "too few sessions to compare; the largest of 4: s0 with 1 call, 25 % of all; "
        "sessions were found 2 by principal (medium), 1 by protocol_session (high), 1 by trace (low)"
    )


def test_a_session_that_is_found_outside_the_window_is_known(report: Report) -> None:
    out, err = report(name="latency", session="hea", since="1s")
    assert (out, err.splitlines()[0]) == ("", "mcpobs: no calls for this filter in the last second")


@pytest.mark.parametrize(
    ("options", "message", "hint"),
    [
        ({"name": "loop"}, "no report is called 'loop'", "did you mean `mcpobs report loops`?"),
        ({"name": "latency", "tool": "serch"}, "the lake has no tool 'serch'", "did you mean 'search'?"),
        ({"name": "latency", "tool": "zzz"}, "the lake has no tool 'zzz'", "known: fetch, search, seldom, write"),
        ({"name": "latency", "server": "file"}, "the lake has no server 'file'", "did you mean 'files'?"),
        ({"name": "latency", "session": "heavi"}, "the lake has no session 'heavi'", "did you mean 'heavy'?"),
        ({"name": "latency", "session": "quiet-0"}, "several sessions begin with 'quiet-0'", "quiet-00, quiet-01"),
        ({"p95": True, "tool": "serch"}, "the lake has no tool 'serch'", "did you mean 'search'?"),
        ({"name": "latency", "since": "yesterday"}, "--since 'yesterday' is no time", "15m, 2h, 7d"),
        ({"name": "latency", "format": "tabel"}, "unknown format 'tabel'", "did you mean table?"),
        ({"name": "latency", "format": "csv", "json": True}, "--json and --format csv exclude", "leave one"),
        ({"html": "", "json": True}, "--html and --json exclude each other", "leave one"),
        ({"html": "x.html", "format": "csv"}, "--html and --format csv exclude each other", "leave one"),
        ({"watch": ""}, "--watch needs a terminal", "leave --watch out"),
        ({"name": "latency", "watch": "-1"}, "--watch '-1' is no number of seconds", "0.5"),
        ({"name": "latency", "limit": 0}, "--limit must be at least 1, not 0", "leave it out"),
        ({"name": "loops", "min_calls": 3}, "the report loops takes no --min-calls", "leave it out"),
        ({"name": "loops", "p95": True}, "--p95 is a report of its own", "leave one of them out"),
    ],
)
def test_an_error_about_a_wrong_option_has_a_hint(
    options: dict[str, Any], message: str, hint: str, report: Report
) -> None:
    with pytest.raises(UsageError) as caught:
        report(**options)
    assert caught.value.message.startswith(message)
    assert caught.value.hint is not None
    assert hint in caught.value.hint


def test_without_a_lake_it_says_how_to_record_one(report: Report, tmp_path: Path) -> None:
    with pytest.raises(LakeError, match="no lake at") as caught:
        report(lake=str(tmp_path / "none"))
    assert caught.value.exit_code == EXIT_UNAVAILABLE
    assert caught.value.hint is not None
    assert "mcpobs instrument --" in caught.value.hint


@pytest.mark.parametrize("options", [{}, {"name": "latency"}, {"name": "loops"}, {"name": "all"}, {"p95": True}])
def test_an_empty_lake_gives_no_rows_and_a_hint(options: dict[str, Any], report: Report, tmp_path: Path) -> None:
    keys.open_folder(tmp_path / "new")
    _, err = report(lake=str(tmp_path / "new"), **options)
    assert err == "mcpobs: no calls in all time\nhint: record calls with `mcpobs instrument -- <server command>`\n"
    out, _ = report(lake=str(tmp_path / "new"), json=True, **options)
    assert json.loads(out)["rows"] == []


def test_an_empty_window_says_to_look_further_back(report: Report) -> None:
    out, err = report(name="latency", since="1s")
    assert out == ""
    assert err.startswith("mcpobs: no calls in the last second\nhint: look further back with --since")


def test_nothing_of_the_kind_is_good_news_and_no_hint(report: Report, tmp_path: Path) -> None:
    spool(tmp_path / "calm", [call(1), call(2)])
    out, err = report(name="loops", lake=str(tmp_path / "calm"))
    assert (out, err) == ("", "mcpobs: no matching calls among 2 calls in all time\n")


def test_damage_is_warned_of_on_stderr_and_in_json_and_the_rest_is_reported(report: Report, tmp_path: Path) -> None:
    lake = tmp_path / "damaged"
    spool(lake, [call(1), call(2)])
    writer.commit(lake, wait=True)
    spool(lake, [call(3), call(4)])
    (segment,) = [path for path in (lake / "spool").glob("*.jsonl") if b'"args_digest":"a4"' in path.read_bytes()]
    segment.write_bytes(segment.read_bytes().replace(b'"a4"', b'"xx"'))
    (parquet,) = (lake / "spans").rglob("*.parquet")
    content = parquet.read_bytes()
    footer = int.from_bytes(content[-8:-4], "little") + 8
    parquet.write_bytes(content[:4] + os.urandom(len(content) - footer - 4) + content[-footer:])
    out, err = report(name="latency", lake=str(lake), json=True)
    answer = json.loads(out)
    assert [row["calls"] for row in answer["rows"]] == [1]
    lines = err.splitlines()
    assert lines[0] == "mcpobs: warning: 1 damaged line is left out of the spool"
    assert lines[2].startswith(f"mcpobs: warning: {parquet} cannot be read and is left out: ")
    assert [line.split(":")[0] for line in lines] == ["mcpobs", "hint", "mcpobs", "hint"]
    assert len(answer["warnings"]) == 2


def test_hostile_names_cannot_move_the_cursor(report: Report, tmp_path: Path) -> None:
    evil = "\x1b[2J\u202e\r\nmcpobs: all is well"
    rows = [
        call(n, tool=evil, session_id=evil, service_name=evil, outcome="tool_error", error_type=evil) for n in range(25)
    ]
    spool(tmp_path / "evil", rows)
    for options in (
        {},
        {"p95": True},
        *({"name": name} for name in (*REPORTS, "all")),
    ):
        for form in ("table", "markdown", "json"):
            out, err = report(lake=str(tmp_path / "evil"), format=form, **options)
            assert not set("\x1b\u202e\r") & set(out + err)
            assert not any(line.startswith("mcpobs: all is well") for line in out.splitlines())


def _command(*words: str) -> list[str]:
    return [sys.executable, "-m", "mcpobs", *words]


def test_a_reader_that_has_seen_enough_ends_it_quietly(lake: Path) -> None:
    """`| head -1`, in the worst case: the pipe is closed before the first byte."""
    command = _command("report", "failures", "--format", "csv", "--lake", str(lake))
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.close()
    _, err = child.communicate(timeout=60)
    assert (child.returncode, err) == (0, b"")


def test_the_command_exits_with_the_code_of_its_error(tmp_path: Path) -> None:
    done = subprocess.run(
        _command("report", "--lake", str(tmp_path / "none")), capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (EXIT_UNAVAILABLE, "")
    assert len(done.stderr.splitlines()) == 2
    done = subprocess.run(_command("report", "nonsense"), capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (EXIT_USAGE, "")


def test_ctrl_c_ends_a_long_query(lake: Path) -> None:
    sql = "select sum(a.range * b.range) as s from range(3000000) a, range(3000000) b where a.range % 7 < b.range % 5"
    command = _command("query", sql, "--lake", str(lake))
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while not _is_computing(child.pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=60)
    assert (child.returncode, out) == (EXIT_INTERRUPTED, b"")
    assert b"Traceback" not in err


def _is_computing(pid: int) -> bool:
    """Whether the process that runs the SQL has used some CPU time."""
    ticks = 0
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        with suppress(OSError):
            ticks += int(Path(f"/proc/{child}/stat").read_text().rsplit(")", 1)[1].split()[11])
    return ticks > 100  # loading the engine takes half of that


@pytest.mark.parametrize("name", [None, "latency", "sessions", "shapes"])
def test_a_report_of_a_labelled_run_is_that_of_a_lake_with_nothing_else(
    name: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    nightly = [row | {"run": "nightly"} for row in _traffic() if row.get("session_id") != "heavy"]
    alone, both = tmp_path / "alone", tmp_path / "both"
    spool(alone, nightly)
    others = [row | {"session_id": "other", "trace_id": f"f{row['trace_id'][1:]}"} for row in _traffic()]
    spool(both, [*nightly, *others])
    answers = []
    for lake, run in ((alone, None), (both, "nightly")):
        assert run_report(ReportOptions(name=name, lake=str(lake), run=run, format="json"), NOW) == EXIT_OK
        answers.append(json.loads(capsys.readouterr().out))
    assert answers[0] == answers[1]
