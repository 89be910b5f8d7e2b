"""Which sessions of an answer have a timeline on its page."""

from __future__ import annotations

from pathlib import Path

from mcpobs.queries.header import Column
from mcpobs.queries.run import Result, on_sound_files
from mcpobs.reports.answer import Answer
from mcpobs.reports.ask import ask, open_between
from mcpobs.reports.named_sessions import MOST_CALLS, MOST_SESSIONS, sessions_named, timelines
from mcpobs.reports.request import Request
from mcpobs.reports.window import EVERYTHING
from tests.queries.recorded import START, call, spool


def _answer(report: str, *rows: tuple[object, ...], column: str = "session_id") -> Answer:
    columns = (Column(column, "varchar"), Column("disproportionate", "boolean"))[: len(rows[0]) if rows else 1]
    return Answer(report, "", None, EVERYTHING, Result(columns, list(rows), len(rows)), "")


def _digest(*parts: Answer) -> Answer:
    return Answer("all", "", None, EVERYTHING, Result((), [], 0), "", "digest", parts=parts)


def test_each_report_names_its_first_sessions_in_turn() -> None:
    loops = _answer("loops", ("a",), ("b",), (None,))
    failures = _answer("failures", ("c",), ("c",), ("a",), ("d",))
    sessions = _answer("sessions", ("e", True), ("f", False), ("g", None))
    odd = _answer("shapes", ("h",), (None,), column="odd_session_id")
    assert sessions_named(_digest(sessions, odd, failures, loops)) == ["a", "e", "c", "h", "b", "d"]


def test_they_are_few() -> None:
    rows = [(f"s{n}",) for n in range(100)]
    assert sessions_named(_answer("failures", *rows)) == [f"s{n}" for n in range(MOST_SESSIONS)]
    assert sessions_named(_answer("latency", column="tool")) == []


def test_their_timelines_are_whole_sessions_in_bounds(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    rows = [call(n, outcome="tool_error" if n == 7 else "ok", tool=f"t{n % 3}") for n in range(MOST_CALLS + 20)]
    spool(lake, rows)
    answer = ask(lake, Request("failures"), START)
    with open_between(lake, None, None) as reading:
        (found,) = on_sound_files(reading, lambda plan: timelines(plan, answer))
    assert (found.head["session_id"], len(found.calls), found.of_calls) == ("s1", MOST_CALLS, MOST_CALLS + 20)
    assert [one.record["nth_call"] for one in found.calls if one.record["failed"]] == [8]
