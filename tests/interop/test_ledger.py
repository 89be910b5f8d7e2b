"""The comparison itself: each kind of disagreement between a ledger and the lake is found and counted as what it is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.interop.ledger import Figures, Over, Row, compare, read_ledger


def _row(sequence: int, method: str, request_id: str | None, **other) -> Row:
    usual = {
        "kind": "server",
        "sequence": sequence,
        "duration_ns": 500,
        "method": method,
        "tool": None,
        "request_id": request_id,
        "protocol_version": "2025-11-25",
        "client_name": "one",
        "session_id": "p1",
        "session_source": "stdio_process",
        "session_confidence": "high",
        "enforcement_key": "process:p1",
        "outcome": "ok",
        "attributes": "{}",
    }
    return usual | other


def _rows() -> list[Row]:
    return [
        _row(0, "initialize", "1"),
        _row(1, "tools/call", "2", tool="a"),
        _row(2, "tools/call", "3", tool="b", outcome="tool_error"),
    ]


def _compared(folder: Path, rows: list[Row], over: Over = "stdio") -> Figures:
    who = {"wire": 0, "client": "one"}
    facts = {
        "conversation": None,
        "code": None,
        "began_ns": 0,
        "settled_ns": 600,
        "at_least_ms": 0,
        "method": "tools/call",
    }
    entries = [
        {"kind": "connected", "version": "2025-11-25"},
        {"kind": "sent", "method": "initialize", "id": 1},
        {"kind": "sent", "method": "tools/call", "id": 2},
        {"kind": "sent", "method": "tools/call", "id": 3},
        {"kind": "call", "id": 2, "tool": "a", "status": "ok", **facts},
        {"kind": "call", "id": 3, "tool": "b", "status": "is_error", **facts, "began_ns": 1_000},
    ]
    path = folder / "ledger.jsonl"
    path.write_text("".join(json.dumps(who | entry) + "\n" for entry in entries))
    return compare(read_ledger(path), rows, over)


def _over_http() -> list[Row]:
    session = {"session_source": "protocol_session", "enforcement_key": "connection:127.0.0.1/p1"}
    return [row | session for row in _rows()]


def test_a_lake_that_agrees_has_no_problem(tmp_path: Path) -> None:
    figures = _compared(tmp_path, _rows())

    assert figures.problems == []
    assert (figures.calls, figures.matched, figures.messages, figures.sessions) == (2, 2, 3, 1)


@pytest.mark.parametrize(
    ("counted", "change"),
    [
        ("lost", lambda rows: rows[:2]),
        ("doubled", lambda rows: [*rows, rows[2] | {"sequence": 3}]),
        ("doubled", lambda rows: [*rows, _row(0, "tools/call", "2", tool="a", enforcement_key="process:p2")]),
        ("wrong_order", lambda rows: [rows[0], rows[2], rows[1]]),
        ("wrong_session", lambda rows: [*rows[:2], rows[2] | {"session_id": "p2"}]),
        ("wrong_session", lambda rows: [*rows[:2], rows[2] | {"session_confidence": "medium"}]),
        ("wrong_status", lambda rows: [*rows[:2], rows[2] | {"outcome": "ok"}]),
        ("wrong_status", lambda rows: [rows[0] | {"outcome": "unfinished"}, *rows[1:]]),
        ("wrong_facts", lambda rows: [*rows[:2], rows[2] | {"tool": "a"}]),
        ("wrong_facts", lambda rows: [*rows[:2], rows[2] | {"protocol_version": "2025-06-18"}]),
        ("longer", lambda rows: [*rows[:2], rows[2] | {"duration_ns": 601}]),
    ],
)
def test_a_disagreement_is_counted_as_what_it_is(tmp_path: Path, counted: str, change) -> None:
    figures = _compared(tmp_path, change(_rows()))

    assert getattr(figures, counted) == 1
    assert figures.problems


def test_over_http_a_lake_that_agrees_has_no_problem_whatever_the_order_of_what_is_sent_at_once(tmp_path: Path) -> None:
    rows = _over_http()

    assert _compared(tmp_path, rows, "http").problems == []
    assert _compared(tmp_path, [rows[1], rows[0], rows[2]], "http").problems == []


@pytest.mark.parametrize(
    ("counted", "change"),
    [
        ("lost", lambda rows: rows[:2]),
        ("doubled", lambda rows: [*rows, rows[2]]),
        ("doubled", lambda rows: [*rows, rows[2] | {"client_name": "another"}]),
        ("wrong_order", lambda rows: [rows[0], rows[2], rows[1]]),
        ("wrong_session", lambda rows: [*rows[:2], rows[2] | {"session_id": "p2"}]),
        ("wrong_session", lambda rows: [*rows[:2], rows[2] | {"session_source": "connection"}]),
        ("wrong_facts", lambda rows: [*rows[:2], rows[2] | {"enforcement_key": "connection:127.0.0.1"}]),
    ],
)
def test_over_http_a_disagreement_is_counted_as_what_it_is(tmp_path: Path, counted: str, change) -> None:
    figures = _compared(tmp_path, change(_over_http()), "http")

    assert getattr(figures, counted) == 1
    assert figures.problems
