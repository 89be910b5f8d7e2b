"""`mcpobs simulate` as its user meets it: sentences, tables, JSON, exit codes, and a lake that is read in parts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mcpobs.cli.simulate import SimulateOptions, run_simulate
from mcpobs.errors import LakeError, UsageError
from mcpobs.simulate import recorded
from tests import golden
from tests.baseline.plays import DAY_NS, START_NS, Call, Play, ordinary, record

GOLDEN = Path(__file__).parent / "golden"
LOOP = Play("runaway", [Call("search", args="x", result="same", cost_microusd=1_400_000)] * 130, key="process-r")
LIMITS = "version: 1\nsession: {calls: 30}\ntools: {search: {calls_per_session: 60}, refund: {calls_per_session: 0}}\n"


@pytest.fixture
def limits(home: Path) -> str:
    path = home / "limits.yaml"
    path.write_text(LIMITS)
    return str(path)


@pytest.fixture
def lake(home: Path) -> str:
    return str(record(home / "lake", [*ordinary(60), LOOP]))


def _document(capsys: pytest.CaptureFixture[str], **options: Any) -> dict[str, Any]:
    assert run_simulate(SimulateOptions(json=True, **options)) == 0
    return dict(json.loads(capsys.readouterr().out))


def test_the_answer_speaks_of_sessions_loops_and_money(
    lake: str, limits: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_simulate(SimulateOptions((limits,), lake=lake, limit=4, sweep="session.calls=10:50:20")) == 0
    shown = capsys.readouterr()
    golden.check(GOLDEN / "answer.txt", shown.out)
    assert "would have halted a loop (search × 130) of session runaway at call 33 of 130, saved $140.00" in shown.out
    assert "12 more rows are not shown" in shown.err


def test_the_document_has_all_of_it(lake: str, limits: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = _document(capsys, files=(limits,), lake=lake, sweep="session.calls=10:50:20")
    assert (found["sessions"], found["cut"], found["total"], len(found["rows"])) == (61, 16, 16, 16)
    assert found["loops"] == {"found": 1, "cut": 1}
    assert found["normal"] == {"found": 60, "cut": 15}
    worst = found["rows"][0]
    assert (worst["session_id"], worst["rule"], worst["code"]) == ("runaway", "session.calls", "call_limit")
    assert (worst["at_call"], worst["halted_at"], worst["calls"], worst["denied"]) == (31, 33, 130, 100)
    assert (worst["saved_microusd"], found["saved_microusd"]) == (140_000_000, 140_000_000)
    assert found["spent_microusd"] == 182_000_000
    assert [row["cap"] for row in found["sweep"]["rows"]] == [10, 30, 50]
    assert [row["saved_microusd"] for row in found["sweep"]["rows"]] == [168_000_000, 140_000_000, 112_000_000]
    assert [row["cut"] for row in found["sweep"]["rows"]] == [16, 16, 16]


def test_what_is_shown_of_one_session_is_what_it_is_among_all(
    lake: str, limits: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found = _document(capsys, files=(limits,), lake=lake, session="runa")
    assert [row["session_id"] for row in found["rows"]] == ["runaway"]
    assert found["cut"] == 16


def test_tenants_are_told_apart(home: Path, limits: str, capsys: pytest.CaptureFixture[str]) -> None:
    from tests.queries.recorded import call, spool

    rows = [
        call(number, session_id=f"s{number % 4}", enforcement_key=f"k{number % 4}", tenant=("acme", "evil")[number % 2])
        for number in range(200)
    ]
    spool(home / "lake", rows)
    found = _document(capsys, files=(limits,), lake=str(home / "lake"))
    assert [(row["tenant"], row["sessions"], row["cut"]) for row in found["tenants"]["rows"]] == [
        ("acme", 2, 2),
        ("evil", 2, 2),
    ]


def test_a_lake_in_many_parts_gives_the_answer_of_one(
    lake: str, limits: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = _document(capsys, files=(limits,), lake=lake)
    monkeypatch.setattr(recorded, "PART", 10)
    monkeypatch.setattr(recorded, "_BATCH", 3)
    assert _document(capsys, files=(limits,), lake=lake) == whole


def test_a_window_begins_with_full_counters(home: Path, capsys: pytest.CaptureFixture[str], limits: str) -> None:
    """A session of 40 calls over two days is cut in the second half, at its 31st call."""
    halves = [Play("long", [Call("get")] * 20, start_ns=START_NS + day * DAY_NS // 2) for day in range(2)]
    first = record(home / "lake", [halves[0]])
    record(first, [Play("long", [Call("list")] * 20, start_ns=halves[1].start_ns, key="process-1")])
    found = _document(capsys, files=(limits,), lake=str(first), since="2026-11-01T06:00")
    assert (found["calls"], found["denied"], found["rows"][0]["at_call"]) == (20, 10, 31)


def test_rules_in_log_only_are_in_force_and_said_to_be(
    lake: str, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = home / "policy.yaml"
    path.write_text("version: 1\nmode: log_only\nlimits: [{id: l, tools: ['*'], per_session: 50, share: 0.1}]\n")
    found = _document(capsys, files=(str(path),), lake=lake)
    assert (found["cut"], found["warnings"]) == (
        1,
        ["all rules are in force here, also those with mode: log_only or a share"],
    )


def test_undecidable_calls_are_counted_by_rule(lake: str, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = home / "policy.yaml"
    path.write_text("version: 1\ndefault: allow\nrules: [{id: w, effect: deny, tools: [refund], scopes: [write]}]\n")
    found = _document(capsys, files=(str(path),), lake=lake)
    assert (found["cut"], found["undecidable"]["calls"], found["undecidable"]["rows"]) == (
        0,
        15,
        [{"rule": "w", "calls": 15}],
    )
    assert run_simulate(SimulateOptions((str(path),), lake=lake)) == 0
    shown = capsys.readouterr()
    assert shown.out.startswith("nothing would have been cut: 61 sessions,")
    assert "15 calls undecidable: w 15" in shown.err


def test_calls_without_a_session_are_left_out_and_counted(
    home: Path, limits: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from tests.queries.recorded import call, spool

    spool(home / "lake", [call(number, session_id=None if number % 2 else "s") for number in range(10)])
    found = _document(capsys, files=(limits,), lake=str(home / "lake"))
    assert (found["calls"], found["warnings"]) == (5, ["5 calls without a session left out: no limit counts them"])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"sweep": "session.call"}, "session.calls"),
        ({"sweep": "session.calls=5"}, "--sweep session.calls=10:100:10"),
        ({"sweep": "session.calls=9:5"}, "--sweep"),
        ({"sweep": "session.calls=0:100000:1"}, "larger step"),
        ({"server": "shp"}, "shop"),
        ({"session": "nobody"}, "known"),
        ({"since": "never"}, "7d"),
        ({"limit": 0}, "default"),
    ],
)
def test_a_wrong_word_is_refused_with_a_hint(lake: str, limits: str, options: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError) as refused:
        run_simulate(SimulateOptions((limits,), lake=lake, **options))
    assert words in str(refused.value.hint)


def test_a_policy_that_is_wrong_is_refused_before_the_lake_is_read(home: Path) -> None:
    path = home / "policy.yaml"
    path.write_text("version: 1\nsesion: {calls: 3}\n")
    with pytest.raises(UsageError, match="sesion"):
        run_simulate(SimulateOptions((str(path),), lake=str(home / "nowhere")))


def test_an_empty_window_is_no_simulation(lake: str, limits: str) -> None:
    with pytest.raises(LakeError, match="nothing to replay"):
        run_simulate(SimulateOptions((limits,), lake=lake, until="2020-01-01"))
