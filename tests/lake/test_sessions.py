"""Sessions of received operations that bring none: by caller, pause and trace, in whatever order they come."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from mcpobs.keys import open_folder
from mcpobs.lake import writer
from mcpobs.lake.reader import open_reading
from mcpobs.lake.sessions import settle
from mcpobs.protocol.naming import qualified
from tests.queries.recorded import SECOND, START, Row, call, in_memory
from tests.sending import logged

GAP_S = 900
CALLERS = [("ann", None), ("bob", None), ("ann", "acme"), ("ann", "other")]
NOWHERE = Path("nowhere")


def weak(number: int, **columns: Any) -> Row:
    """A call as others send it: its session is its trace."""
    row = call(number, session_source="trace", session_confidence="low", scope_name="fastmcp", principal="ann")
    row |= {"client_name": "desk", "session_id": row["trace_id"]}
    return row | call(number, **{**row, **columns})


def settled(rows: Sequence[Row]) -> dict[str, Row]:
    """Rows by span, after their sessions were found."""
    connection = in_memory(rows)
    settle(connection, "spans", NOWHERE, [], GAP_S * SECOND)
    names = "span_id, trace_id, session_id, session_start_unix_nano, session_source, session_confidence, date"
    found = connection.execute(f"select {names} from spans").fetchall()
    return {row[0]: dict(zip(names.split(", "), row, strict=True)) for row in found}


def groups(rows: Sequence[Row]) -> list[list[int]]:
    """The numbers of the rows, by session, in order."""
    sessions: dict[str, list[int]] = {}
    for span, row in sorted(settled(rows).items()):
        sessions.setdefault(row["session_id"], []).append(int(span, 16))
    return sorted(sessions.values())


def test_calls_of_one_caller_are_one_session_until_a_pause() -> None:
    rows = [weak(n, at_s=at) for n, at in enumerate([0, 60, 900, 1790, 2700, 2760])]
    assert groups(rows) == [[0, 1, 2, 3], [4, 5]]
    rows = [weak(n, at_s=at) for n, at in enumerate([0, 60, 900, 1901, 1960])]
    assert groups(rows) == [[0, 1, 2], [3, 4]]
    settled_row = settled(rows)[f"{2:016x}"]
    assert (settled_row["session_start_unix_nano"], settled_row["date"]) == (START, "2026-09-21")
    assert (settled_row["session_source"], settled_row["session_confidence"]) == ("principal", "medium")


def test_a_pause_is_counted_from_the_end_of_what_took_long() -> None:
    assert groups([weak(0, ms=600_000), weak(1, at_s=1_400), weak(2, at_s=2_400)]) == [[0, 1], [2]]


def test_two_principals_clients_or_servers_are_never_one_session() -> None:
    rows = [weak(0), weak(1, principal="bob"), weak(2, client_name="phone"), weak(3, service_name="web"), weak(4)]
    assert groups([*rows, weak(5, tenant="acme")]) == [[0, 4], [1], [2], [3], [5]]


def test_two_principals_in_one_trace_are_two_sessions() -> None:
    a = "a" * 32
    rows = [weak(n, trace_id=a, principal=who, tenant=tenant) for n, (who, tenant) in enumerate(CALLERS * 2)]
    assert groups(rows) == [[0, 4], [1, 5], [2, 6], [3, 7]]


def test_a_peer_is_a_caller_of_low_confidence() -> None:
    def peer(n: int, address: str) -> Row:
        return weak(n, principal=None, attributes=f'{{"client.address":"{address}","client.port":{n}}}')

    rows = [peer(0, "10.0.0.1"), peer(1, "10.0.0.2"), peer(2, "10.0.0.1")]
    assert groups(rows) == [[0, 2], [1]]
    assert {(r["session_source"], r["session_confidence"]) for r in settled(rows).values()} == {("connection", "low")}


def test_a_span_without_a_caller_keeps_its_trace_because_anybody_could_have_sent_it() -> None:
    rows = [weak(0, principal=None), weak(1, principal=None)]
    assert all(row["session_id"] == row["trace_id"] for row in settled(rows).values())


def test_a_session_of_the_protocol_or_a_conversation_is_left_alone() -> None:
    for source in ("protocol_session", "sse_endpoint", "conversation", "stdio_process"):
        assert settled([weak(0, session_source=source, session_id="own")])[f"{0:016x}"]["session_id"] == "own"


def test_replicas_of_one_server_that_made_up_sessions_of_their_own_are_put_together() -> None:
    rows = [
        weak(
            n, scope_name="mcpobs", session_source="principal", session_id=f"replica-{n % 3}", session_start_unix_nano=1
        )
        for n in range(9)
    ]
    assert groups(rows) == [[*range(9)]]


def test_where_a_trace_holds_calls_that_follow_each_other_each_trace_is_a_session() -> None:
    a, b = "a" * 32, "b" * 32
    rows = [weak(0, trace_id=a), weak(1, trace_id=b), weak(2, trace_id=a), weak(3, trace_id="c" * 32)]
    assert groups(rows) == [[0, 2], [1], [3]]
    assert {(r["session_source"], r["session_confidence"]) for r in settled(rows).values()} == {("trace", "medium")}


def test_calls_at_one_time_in_a_trace_may_be_layers_of_one_and_say_nothing() -> None:
    rows = [weak(0, trace_id="a" * 32, ms=100), weak(1, at_s=0.05, trace_id="a" * 32), weak(2), weak(3)]
    assert groups(rows) == [[0, 1, 2, 3]]


@pytest.mark.parametrize("seed", range(20))
def test_the_order_within_a_batch_does_not_matter(seed: int) -> None:
    chance = random.Random(seed)
    rows = [
        weak(
            n,
            at_s=chance.randrange(20_000),
            principal=chance.choice(["ann", "bob"]),
            trace_id=f"{chance.choice([n, n, n // 4]):032x}",
        )
        for n in range(60)
    ]
    expected = settled(rows)
    for _ in range(3):
        assert settled(chance.sample(rows, len(rows))) == expected


# -- through the collector's log, batch by batch -------------------------------------------------------------


def request(calls: Sequence[tuple[int, float, str, str]]) -> bytes:
    """An OTLP request of FastMCP's spans: number, second, principal, trace."""
    message = ExportTraceServiceRequest()
    group = message.resource_spans.add()
    group.resource.attributes.add(key="service.name").value.string_value = "files"
    scope = group.scope_spans.add()
    scope.scope.name = "fastmcp"
    for number, at_s, principal, trace in calls:
        span = scope.spans.add()
        span.trace_id, span.span_id = bytes.fromhex(trace), number.to_bytes(8, "big")
        span.name, span.kind = "tools/call search", 2
        span.start_time_unix_nano = START + int(at_s * SECOND)
        span.end_time_unix_nano = span.start_time_unix_nano + 10_000_000
        attributes = {
            "mcp.method.name": "tools/call",
            "gen_ai.tool.name": "search",
            "mcp.protocol.version": "2026-07-28",
        }
        for key, value in (attributes | ({"enduser.id": principal} if principal else {})).items():
            span.attributes.add(key=key).value.string_value = value
    return bytes(message.SerializeToString())


def commit(lake: Path, calls: Sequence[tuple[int, float, str, str]]) -> None:
    logged(lake, request(calls), received_unix_nano=START)
    writer.commit(lake, wait=True)


def stored(lake: Path) -> dict[int, tuple[str, str]]:
    with open_reading(lake) as reading:
        rows = reading.connection.execute("select span_id, session_id, session_source from spans").fetchall()
    return {int(span, 16): (session, source) for span, session, source in rows}


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    open_folder(tmp_path)
    return tmp_path


def trace(number: int) -> str:
    return f"{number:032x}"


def of_ann(name: str) -> str:
    return qualified(name, "ann", None)


def test_a_session_goes_on_from_one_commit_to_the_next_until_a_pause(lake: Path) -> None:
    commit(lake, [(1, 0, "ann", trace(1)), (2, 10, "bob", trace(2))])
    commit(lake, [(3, 800, "ann", trace(3))])
    commit(lake, [(4, 1600, "ann", trace(4)), (5, 1600, "bob", trace(5))])
    found = {number: session for number, (session, _) in stored(lake).items()}
    assert found[1] == found[3] == found[4]
    assert len({found[1], found[2], found[5]}) == 3


def test_what_comes_late_joins_the_session_before_it_and_moves_nobody(lake: Path) -> None:
    commit(lake, [(1, 0, "ann", trace(1))])
    commit(lake, [(2, 1500, "ann", trace(2))])
    before = stored(lake)
    assert before[1] != before[2]
    commit(lake, [(3, 750, "ann", trace(3))])
    after = stored(lake)
    assert after[3] == after[1]
    assert {number: after[number] for number in before} == before


def test_a_caller_that_was_found_to_have_a_trace_a_conversation_goes_on_having_one(lake: Path) -> None:
    commit(lake, [(1, 0, "ann", trace(1)), (2, 1, "ann", trace(1))])
    commit(lake, [(3, 2, "ann", trace(2))])
    commit(lake, [(4, 3, "ann", trace(1))])
    found = stored(lake)
    assert found[1] == found[2] == found[4] == (of_ann(trace(1)), "trace")
    assert found[3] == (of_ann(trace(2)), "trace")


def test_once_a_trace_comes_back_the_traces_seen_before_stay_where_they_are(lake: Path) -> None:
    commit(lake, [(1, 0, "ann", trace(1)), (2, 1, "ann", trace(2))])
    commit(lake, [(3, 2, "ann", trace(1)), (4, 3, "ann", trace(3))])
    found = stored(lake)
    assert found[1] == found[2]
    assert found[3][0] == found[1][0]
    assert found[4] == (of_ann(trace(3)), "trace")


def test_a_delivery_that_comes_again_changes_no_session(lake: Path) -> None:
    calls = [(n, n * 600.0, "ann", trace(n)) for n in range(1, 5)]
    commit(lake, calls)
    before = stored(lake)
    commit(lake, calls)
    assert stored(lake) == before


def test_the_pause_is_the_users_to_set(lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCPOBS_IDLE_GAP_S", "60")
    commit(lake, [(1, 0, "ann", trace(1)), (2, 100, "ann", trace(2))])
    found = stored(lake)
    assert found[1] != found[2]
