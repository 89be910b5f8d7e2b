"""What makes two spans one: a delivery that came again, by whatever way, and no two spans that merely share an id."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from mcpobs.keys import open_folder
from mcpobs.lake import maintain, writer
from mcpobs.lake.otlp.decode import from_json
from mcpobs.lake.reader import open_reading
from tests.lake.otlp.wire import length_delimited, varint
from tests.lake.rows import DAY, NOON, spooled
from tests.queries.recorded import START, ask, call, create_views, in_memory
from tests.sending import logged

HOUR = 3600 * 10**9
KINDS = {1: "internal", 2: "server", 3: "client"}


@dataclass(frozen=True, order=True)
class Span:
    """What a sender says of a span: all of it is its identity."""

    trace: int = 1
    span: int = 1
    kind: int = 2
    service: str | None = "files"
    start: int = NOON

    @property
    def identity(self) -> tuple[str, str, str, str | None, int]:
        return f"{self.trace:032x}", f"{self.span:016x}", KINDS[self.kind], self.service, self.start

    def row(self, **changes: Any) -> dict[str, Any]:
        """As a wrapper spools it; an MCP span of kind internal is stored as a server's, beside the sent kind."""
        trace, span, kind, service, start = self.identity
        fixed = {"trace_id": trace, "span_id": span, "kind": kind, "service_name": service, "start_unix_nano": start}
        if kind == "internal":
            fixed |= {"kind": "server", "sent_kind": self.kind}
        return {**fixed, "duration_ns": 1000, "name": "t", "method": "tools/call", "outcome": "ok", **changes}


def request(spans: Sequence[Span], scope: str = "test", front: str | None = None) -> bytes:
    made = ExportTraceServiceRequest()
    for each in spans:
        group = made.resource_spans.add()
        if each.service is not None:
            group.resource.attributes.add(key="service.name").value.string_value = each.service
        scoped = group.scope_spans.add()
        scoped.scope.name = scope
        span = scoped.spans.add(trace_id=each.trace.to_bytes(16, "big"), span_id=each.span.to_bytes(8, "big"))
        span.kind, span.name = each.kind, "t"
        span.start_time_unix_nano, span.end_time_unix_nano = each.start, each.start + 1000
        span.attributes.add(key="mcp.method.name").value.string_value = "tools/call"
        if front is not None:
            span.attributes.add(key="mcpobs.front").value.string_value = front
    return made.SerializeToString()


def identities(lake: Path, **window: int) -> list[tuple[Any, ...]]:
    with open_reading(lake, **window) as reading:
        return reading.connection.execute(
            "select trace_id, span_id, case when sent_kind = 1 then 'internal' else kind end, service_name, "
            "coalesce(sent_start_unix_nano, start_unix_nano) from spans "
            "order by all"
        ).fetchall()


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    open_folder(tmp_path)
    return tmp_path


SHARED = {
    "a client's and a server's span, as B3 has them": [Span(kind=3, service="agent"), Span()],
    "a client's and a server's span of one service": [Span(kind=3), Span()],
    "two services with one seed": [Span(), Span(service="web")],
    "a service without a name": [Span(), Span(service=None)],
    "two workers with one seed": [Span(), Span(start=NOON + 1)],
    "two workers without a clock": [Span(start=0), Span(start=1)],
    "two kinds and two services": [Span(kind=k, service=s) for k in (1, 2, 3) for s in ("a", "b", None)],
}


@pytest.mark.parametrize("spans", SHARED.values(), ids=SHARED)
@pytest.mark.parametrize("cut", ["one request", "two requests", "two commits", "spool and collector"])
def test_spans_that_share_an_id_are_all_stored(lake: Path, spans: list[Span], cut: str) -> None:
    if cut == "one request":
        logged(lake, request(spans), received_unix_nano=NOON)
    elif cut == "two requests":
        logged(lake, *(request([span]) for span in spans), received_unix_nano=NOON)
    elif cut == "two commits":
        for span in spans:
            logged(lake, request([span]), received_unix_nano=NOON)
            assert writer.commit(lake).duplicates == 0
    else:
        spooled(lake, [spans[0].row()])
        logged(lake, request(spans[1:]), received_unix_nano=NOON)
    assert writer.commit(lake).duplicates == 0
    expected = sorted((span.identity for span in spans), key=repr)
    assert sorted(identities(lake), key=repr) == expected
    maintain.compact(lake)
    assert sorted(identities(lake), key=repr) == expected


def as_json(body: bytes) -> bytes:
    """The request as a sender of JSON has it, made protobuf again by the collector."""
    from google.protobuf.json_format import MessageToDict

    document = MessageToDict(ExportTraceServiceRequest.FromString(body))
    for group in document["resourceSpans"]:
        for scoped in group["scopeSpans"]:
            for span in scoped["spans"]:
                span["traceId"], span["spanId"] = f"{1:032x}", f"{1:016x}"
    return from_json(orjson.dumps(document))


@pytest.mark.parametrize("start", [NOON, 0, NOON - 8 * DAY, NOON + 2 * HOUR, NOON + 90 * 60 * 10**9, 2**63 - 1])
@pytest.mark.parametrize("later_ns", [0, 3 * HOUR, 23 * HOUR])
@pytest.mark.parametrize("way", ["again", "as JSON", "with others", "after compaction"])
def test_a_delivery_that_comes_again_is_stored_once(lake: Path, start: int, later_ns: int, way: str) -> None:
    body = request([Span(start=start)])
    logged(lake, body, received_unix_nano=NOON)
    assert writer.commit(lake).rows == 1
    if way == "after compaction":
        maintain.compact(lake)
    other = [request([Span(2, 2, start=NOON)])] if way == "with others" else []
    logged(lake, *other, as_json(body) if way == "as JSON" else body, received_unix_nano=NOON + later_ns)
    done = writer.commit(lake)
    assert (done.rows, done.duplicates) == (len(other), 1)
    assert len(identities(lake)) == 1 + len(other)


OPENLLMETRY = "opentelemetry.instrumentation.mcp.instrumentation"
SENT: list[tuple[int, bytes, bytes | None]] = [
    *((kind, b"test", b"\x0a\x01a") for kind in (0, 1, 2, 3, 5, 6, 7, 40_000, 2**31 - 1)),
    # service.name as an AnyValue: a string, one that is no UTF-8 (twice), ints, arrays, bytes, nothing, no attribute
    *((2, b"test", service) for service in (b"\x0a\x01b", b"\x0a\x00", b"\x0a\x01\xff", b"\x0a\x01\xfe")),
    *((2, b"test", service) for service in (b"\x0a\x03\xef\xbf\xbd", b"\x18\x01", b"\x18\x02", b"\x0a\x011")),
    *((2, b"test", service) for service in (b"\x2a\x05\x0a\x03\x0a\x01a", b"\x2a\x05\x0a\x03\x0a\x01b", b"", None)),
    *((2, b"test", service) for service in (b"\x3a\x01\xff", b"\x3a\x01\xfe")),
    (2, b"mcpobs", b"\x0a\x01c"),  # a scope that anybody may name
    (1, OPENLLMETRY.encode(), b"\x0a\x01d"),  # the lake has it as a client's or a server's
    (2, b"test", b"\x0a\x01d"),
    (3, b"test", b"\x0a\x01d"),
]
"""Kind, scope and service as sent: no two are one span, though the ids and the start are."""


def sent(kind: int, scope: bytes, service: bytes | None) -> bytes:
    span = length_delimited(1, b"\1" * 16) + length_delimited(2, b"\2" * 8) + length_delimited(5, b"x.tool")
    span += b"\x30" + varint(kind) + b"\x39" + NOON.to_bytes(8, "little") + b"\x41" + NOON.to_bytes(8, "little")
    resource = b""
    if service is not None:
        resource = length_delimited(1, length_delimited(1, b"service.name") + length_delimited(2, service))
    group = length_delimited(1, length_delimited(1, scope)) + length_delimited(2, span)
    return length_delimited(1, length_delimited(1, resource) + length_delimited(2, group))


@pytest.mark.parametrize("cut", ["one request", "one commit", "commits"])
def test_spans_that_differ_in_what_was_sent_are_rows_and_each_comes_once(lake: Path, cut: str) -> None:
    bodies = [sent(*one) for one in SENT]
    for again in (False, True):
        for batch in {"one request": [[b"".join(bodies)]], "one commit": [bodies]}.get(cut, [[b] for b in bodies]):
            logged(lake, *batch, received_unix_nano=NOON)
            done = writer.commit(lake)
            assert (done.rows > 0, done.duplicates > 0) == (not again, again)
        assert len(identities(lake)) == len(SENT)
        maintain.compact(lake)
        assert len(identities(lake)) == len(SENT)


def test_a_number_of_json_is_the_service_that_protobuf_sends(lake: Path) -> None:
    """A delivery that comes again in the other encoding is the same span."""
    for kind, service, value in ((6, b"\x18\x01", {"intValue": "1"}), (2, b"\x3a\x01\xff", {"bytesValue": "/w=="})):
        span = {"traceId": "01" * 16, "spanId": "02" * 8, "name": "x.tool", "kind": kind}
        times = {"startTimeUnixNano": str(NOON), "endTimeUnixNano": str(NOON)}
        resource = {"attributes": [{"key": "service.name", "value": value}]}
        group = {"resource": resource, "scopeSpans": [{"scope": {"name": "test"}, "spans": [{**span, **times}]}]}
        logged(lake, sent(kind, b"test", service), received_unix_nano=NOON)
        logged(lake, from_json(orjson.dumps({"resourceSpans": [group]})), received_unix_nano=NOON)
        done = writer.commit(lake)
        assert (done.rows, done.duplicates) == (1, 1)


def test_a_span_that_becomes_too_old_between_two_deliveries_is_stored_once(lake: Path) -> None:
    body = request([Span(start=NOON - 7 * DAY + HOUR)])
    for received in (NOON, NOON + 3 * HOUR):
        logged(lake, body, received_unix_nano=received)
        writer.commit(lake)
    assert len(identities(lake)) == 1


@pytest.mark.parametrize("spool_first", [True, False])
@pytest.mark.parametrize("start", [NOON, 5])
@pytest.mark.parametrize("service", ["files", "the-application"])
def test_what_a_front_spools_and_exports_to_a_collector_on_its_lake_is_stored_once(
    lake: Path, spool_first: bool, start: int, service: str
) -> None:
    """In the server's process its own provider may name another service, and the wrapper's clock may stand at 1970."""
    span = Span(start=start)
    spool = span.row(scope_name="mcpobs", front="in_process", outcome="unfinished")
    export = request([Span(start=start, service=service)], scope="mcpobs", front="in_process")
    if spool_first:
        spooled(lake, [spool])
        assert writer.commit(lake).rows == 1
        logged(lake, export, received_unix_nano=NOON)
    else:
        logged(lake, export, received_unix_nano=NOON)
        assert writer.commit(lake).rows == 1
        spooled(lake, [spool])
        assert len(identities(lake)) == 1  # read before it is committed
        assert len(identities(lake, since_unix_nano=0, until_unix_nano=10)) == 0
    assert (writer.commit(lake).duplicates, len(identities(lake))) == (1, 1)


def test_of_an_unfinished_and_a_finished_delivery_the_finished_one_is_kept(lake: Path) -> None:
    spooled(lake, [Span().row(outcome="unfinished", duration_ns=9_000), Span().row(), Span().row(outcome="unfinished")])
    for _ in range(2):
        with open_reading(lake) as reading:
            assert reading.connection.execute("select outcome from spans").fetchall() == [("ok",)]
        writer.commit(lake)


SPANS = st.builds(
    Span,
    trace=st.integers(1, 2),
    span=st.integers(1, 2),
    kind=st.sampled_from([1, 2, 3]),
    service=st.sampled_from(["a", "b", None]),
    start=st.sampled_from([NOON, NOON + 1, NOON - DAY, 0, 5, NOON - 8 * DAY, NOON + 2 * HOUR, NOON // 10**6]),
)
STEP = st.tuples(
    st.sampled_from(["spool", "log", "log", "commit", "compact"]), st.lists(SPANS, min_size=1, max_size=12)
)


@settings(
    max_examples=10,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(steps=st.lists(STEP, min_size=1, max_size=8), seed=st.integers(0, 2**32))
def test_each_identity_is_one_row_in_any_order_and_by_any_way(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, list[Span]]], seed: int
) -> None:
    """Deliveries by spool and by log, some of them again, with readings, commits and compactions between them."""
    lake = tmp_path_factory.mktemp("lake")
    open_folder(lake)
    chance = random.Random(seed)
    visible: set[Span] = set()
    waiting: set[Span] = set()
    received = NOON
    for what, spans in steps:
        received += chance.randrange(2 * HOUR)
        delivered = spans + chance.sample(spans, chance.randrange(len(spans) + 1))
        if what == "spool":
            spooled(lake, [span.row() for span in delivered])
            visible |= set(spans)
        elif what == "log":
            logged(lake, request(delivered), received_unix_nano=received)
            waiting |= set(spans)
        else:
            writer.commit(lake) if what == "commit" else maintain.compact(lake)
            visible |= waiting
        assert sorted(identities(lake), key=repr) == sorted((span.identity for span in visible), key=repr)
    maintain.compact(lake)
    everything = sorted((span.identity for span in visible | waiting), key=repr)
    assert sorted(identities(lake), key=repr) == everything


def test_a_servers_span_with_the_id_of_its_clients_counts_once() -> None:
    """B3: the client's span stays an operation, and layers beneath the server's are set aside for it alone."""
    shared = {"trace_id": "a" * 32, "span_id": "b" * 16, "scope_name": "other", "start_unix_nano": START}
    rows = [
        call(0, **shared, kind="client", service_name="agent"),
        call(1, **shared, service_name="files"),
        call(2, trace_id="a" * 32, span_id="c" * 16, parent_span_id="b" * 16, scope_name="fastmcp", at_s=0.001),
    ]
    connection = in_memory(rows)
    layers = {(row["service_name"], row["layer"]): row for row in ask(connection, "coverage")}
    assert {name: (row["spans"], row["calls"]) for name, row in layers.items()} == {
        ("agent", "other"): (1, 0),
        ("files", "other"): (1, 0),
        ("files", "fastmcp"): (1, 1),
    }
    create_views(connection, "tool_calls")
    found = connection.execute("select kind, service_name, scope_name from operations order by all").fetchall()
    assert found == [("client", "agent", "other"), ("server", "files", "fastmcp")]
    assert connection.execute("select count(*) from tool_calls").fetchall() == [(1,)]


def test_a_call_that_a_server_sends_on_is_a_call_of_its_own_though_both_sides_share_an_id() -> None:
    """Without B3 the client's span lies between the two servers' and says so; here it has the inner server's id."""
    inner = {"trace_id": "a" * 32, "span_id": "c" * 16, "parent_span_id": "b" * 16}
    rows = [
        call(0, trace_id="a" * 32, span_id="b" * 16, service_name="front", request_id="3"),
        call(1, **inner, kind="client", scope_name="mcp-python-sdk", service_name="front", request_id="3", at_s=0.001),
        call(2, **inner, scope_name="mcp-python-sdk", service_name="back", request_id="3", at_s=0.002),
    ]
    connection = in_memory(rows)
    create_views(connection, "tool_calls")
    found = connection.execute("select service_name from tool_calls order by 1").fetchall()
    assert found == [("back",), ("front",)]


def test_many_spans_with_one_id_are_no_pairs_of_all_with_all() -> None:
    """2,000 spans of two layers that are each other's parents: a join of their ids would have 10^12 rows."""
    ids = {"trace_id": "a" * 32, "span_id": "b" * 16, "parent_span_id": "b" * 16}
    rows = [call(n, **ids, scope_name=("fastmcp", "mcpobs")[n % 2], service_name=f"s{n % 3}") for n in range(2_000)]
    connection = in_memory(rows)
    assert sum(row["spans"] for row in ask(connection, "coverage")) == 2_000
