"""What the observer spools is what it exports: in two parts, of which one is written once for many rows."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mcpobs.gate.recorder import Recorder
from mcpobs.gate.row import Origin, Row, Rows
from mcpobs.prices.book import Book
from mcpobs.protocol.operation import Operation, Peer, Stamp, TraceContext, ValueFacts
from mcpobs.protocol.session import Session
from mcpobs.segment import prefix_of, scan, seal
from mcpobs.sessions.stdio import StdioSessions
from mcpobs.telemetry.spool import Spool
from tests.telemetry.faults import in_a_fork, loss, result, scanned

SESSIONS = StdioSessions("0123456789abcdef", 1_790_000_000_000_000_000)
RECORDER = Origin("files", "0123456789abcdef", "stdio", "pipe", "proxy/stdio")
CLIENT, SERVER = Peer("client", "1"), Peer("server", "2")
PARENT = TraceContext("a" * 32, "b" * 16, 0)


def _call(**changes: Any) -> Operation:
    operation = Operation(
        sequence=7,
        sender="client",
        method="tools/call",
        start=Stamp(1_790_000_000_000_000_001, 5),
        request_id="7",
        tool="search",
        protocol_version="2025-11-25",
        client=CLIENT,
        server=SERVER,
        arguments=ValueFacts("0" * 16, "{#abcdef:string}", 42),
        arguments_features='{"depth":1}',
        outcome="ok",
        result=ValueFacts("f" * 16, "text", 321),
        result_items=1,
        result_empty=False,
    )
    return replace(operation, **changes)


class Exported:
    def __init__(self) -> None:
        self.rows: list[Row] = []

    def export(self, row: Row) -> None:
        self.rows.append(row)


OPERATIONS = {
    "a call": _call(),
    "another tool": _call(tool="read"),
    "a call in a conversation": _call(conversation_id="chat"),
    "a call in a trace": _call(parent=PARENT),
    "a call in a trace and a conversation": _call(parent=PARENT, conversation_id="chat"),
    "a call whose span was settled": _call(span=TraceContext("c" * 32, "d" * 16, 1), conversation_id="chat"),
    "a call with progress": _call(progress=3),
    "a call that was given up": _call(outcome="cancelled", cancelled_by="client", result=None),
    "a prompt": _call(method="prompts/get", tool=None, prompt="search"),
    "a resource": _call(method="resources/read", tool=None, resource_scheme="search"),
    "a request of the server": _call(sender="server", method="ping", tool=None, arguments=None),
    "a newer version": _call(protocol_version="2026-07-28"),
    "another client": _call(client=Peer("client", "2")),
    "another server": _call(server=Peer("server", "3")),
    "a call that failed": _call(outcome="server_error", error_type="-32603", status_code="-32603"),
}


def test_a_spooled_row_is_the_exported_row(tmp_path: Path) -> None:
    spool, exported = Spool(tmp_path, loss), Exported()
    observer = Recorder(Rows(RECORDER, Book.a_call({"search": 2000})), spool, exported)
    for _ in range(2):
        for operation in OPERATIONS.values():
            observer.record(operation, SESSIONS.begin(operation, SESSIONS.caller, True))
            observer.record(operation, SESSIONS.begin(operation, SESSIONS.caller, True), {"mcpobs.server.exit_code": 3})
    found = scanned(tmp_path)
    assert found.damaged == 0
    spooled = [json.loads(line, object_pairs_hook=_each_once) for line in found.rows]
    assert [{name: value for name, value in row.items() if name != "check"} for row in spooled] == exported.rows
    assert len({(row["trace_id"], row["span_id"]) for row in exported.rows}) > 4 * len(OPERATIONS) - 4


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS.keys())
def test_what_rows_share_does_not_depend_on_what_was_recorded_before(operation: Operation) -> None:
    rows = Rows(RECORDER)
    for other in OPERATIONS.values():
        _row(rows, other)
    assert _row(rows, operation) == _row(Rows(RECORDER), operation)


def _row(rows: Rows, operation: Operation) -> Row:
    shared, own = rows.of(operation, SESSIONS.begin(operation, SESSIONS.caller, True))
    assert not shared.columns.keys() & own.keys()
    row = {**shared.columns, **own}
    for name in ("trace_id", "span_id"):
        assert len(str(row.pop(name))) == (32 if name == "trace_id" else 16)
    return row


def test_a_caller_that_invents_names_gets_them_recorded_and_not_remembered_for_good() -> None:
    rows = Rows(RECORDER)
    for number in range(1_000):
        shared, _ = rows.of(_call(tool=f"tool{number}"), SESSIONS.process_session)
        assert shared.columns["name"] == f"tools/call tool{number}"
    assert len(rows._shared) <= 256


def _ids(rows: Rows, session: Session, count: int) -> list[str]:
    return [str(rows.of(_call(), session)[1]["span_id"]) for _ in range(count)]


def test_a_forked_child_does_not_give_out_the_ids_of_its_parent() -> None:
    rows, session = Rows(RECORDER), SESSIONS.process_session
    rows.of(_call(), session)
    child = set(result(in_a_fork(lambda: " ".join(_ids(rows, session, 300)))).split())
    parent = set(_ids(rows, session, 300))
    assert (len(child), len(parent), child & parent) == (300, 300, set())


def test_a_line_with_a_prefix_is_the_line_of_the_whole_row() -> None:
    prefix = prefix_of(b'{"a":1,"b":"x"}')
    assert seal(b'{"c":2}', prefix) == seal(b'{"a":1,"b":"x","c":2}')
    assert scan(seal(b'{"c":2}', prefix)).damaged == 0
