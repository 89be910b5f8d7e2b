"""When an open call gets a line, and what the line shares with the end of the call."""

from __future__ import annotations

from typing import Any

import pytest

from mcpobs.gate.waiting import FIRST_NS, Waiting
from mcpobs.protocol.call import Call
from mcpobs.protocol.operation import Operation, Stamp, TraceContext
from mcpobs.protocol.session import Caller
from mcpobs.sessions.stdio import StdioSessions

SECOND = 10**9


def broken(error: Exception) -> None:
    raise error


def call(start_s: int = 0, **changes: Any) -> Call:
    operation = Operation(0, "client", "tools/call", Stamp(1_790_000_000 * SECOND, start_s * SECOND), "1", "search")
    for name in [name for name in changes if hasattr(operation, name)]:
        setattr(operation, name, changes.pop(name))
    return Call(operation, StdioSessions("p", 1).process_session, Caller("c", "stdio"), **changes)


def lines(calls: list[Call], looks_s: list[float]) -> list[float]:
    """The waits, in seconds, of the lines that these looks write."""
    written: list[float] = []
    waiting = Waiting(lambda line: written.append(line.operation.duration_ns / SECOND), broken)
    for at_s in looks_s:
        waiting.look(calls, int(at_s * SECOND))
    return written


def test_a_call_has_a_line_after_five_seconds_and_another_each_time_its_wait_has_doubled() -> None:
    assert lines([call()], [1, 4.9, 5.2, 6, 9.9, 10, 19, 21, 39, 300, 301]) == [5.2, 10, 21, 300]


def test_a_process_that_was_stopped_writes_one_line_for_all_that_it_missed() -> None:
    assert lines([call()], [0.5, 100, 101, 199, 200]) == [100, 200]


@pytest.mark.parametrize(
    "quiet",
    [
        {"sender": "server"},  # a person answers it
        {"method": "subscriptions/listen"},
        {"held": True},
        {"tentative": True},
        {"outcome": "ok"},
    ],
    ids=str,
)
def test_what_nobody_waits_for_has_no_line(quiet: dict[str, Any]) -> None:
    assert lines([call(**quiet)], [6, 60]) == []


@pytest.mark.parametrize("parent", [None, TraceContext("a" * 32, "b" * 16, 0)])
def test_the_line_has_the_ids_that_the_end_will_have(parent: TraceContext | None) -> None:
    found: list[Call] = []
    one = call(parent=parent)
    waiting = Waiting(found.append, broken, above=TraceContext("c" * 32, "d" * 16, 1))
    waiting.look([one], FIRST_NS)
    waiting.look([one], 2 * FIRST_NS)
    assert one.operation.outcome is None
    assert {line.operation.span for line in found} == {one.operation.span}
    assert one.operation.span is not None
    assert one.operation.span.trace_id == ("c" if parent is None else "a") * 32
    assert [(line.operation.outcome, line.operation.start) for line in found] == [
        ("unfinished", one.operation.start)
    ] * 2


def test_a_fault_is_reported_and_the_others_have_their_lines() -> None:
    written: list[str | None] = []
    faults: list[Exception] = []

    def write(line: Call) -> None:
        if line.operation.request_id == "broken":
            raise OSError
        written.append(line.operation.request_id)

    Waiting(write, faults.append).look([call(request_id="broken"), call(request_id="2")], FIRST_NS)
    assert written == ["2"]
    assert [type(fault) for fault in faults] == [OSError]
