"""What `mcpobs collect --redact` stores: operations as before, and nothing of what a sender wrote into them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from mcpobs.keys import open_folder
from mcpobs.lake import writer
from mcpobs.lake.dialects import translated
from mcpobs.lake.dialects.redaction import ATTRIBUTES, RESOURCE
from mcpobs.lake.otlp.decode import decode
from mcpobs.lake.reader import open_reading
from mcpobs.lake.schema import TYPES
from mcpobs.lake.wal import Wal
from mcpobs.protocol.naming import session_digest
from tests.queries.recorded import SECOND, START

CANARY = "kanarie in 7 words, 1/2"  # has blanks, so it is no name
CONTAINERS = ("attributes", "resource", "events")
Row = dict[str, Any]

CALL = {"mcp.method.name": "tools/call", "gen_ai.tool.name": "search", "mcp.protocol.version": "2025-11-25"}
REQUEST = json.dumps({"method": "tools/call", "id": 7, "params": {"name": "search", "arguments": {"q": CANARY}}})
SENDERS: list[tuple[str, str, int, dict[str, str]]] = [
    ("fastmcp", "tools/call search", 2, CALL),
    ("mcp-python-sdk", "MCP send tools/call search", 3, {"mcp.method.name": "tools/call"}),
    ("opentelemetry.instrumentation.mcp.instrumentation", "search.tool", 1, {"traceloop.entity.input": CANARY}),
    ("logfire.mcp", "MCP server handle request: tools/call", 1, {"request": REQUEST, "rpc.method": "tools/call"}),
    ("agentgateway", f"POST /{CANARY}", 2, CALL | {"jwt.sub": "ann", "url.path": f"/{CANARY}"}),
    ("mcp-gateway", "tool.invoke", 1, {"tool.name": "search", "user.email": "ann", "tool.arguments": CANARY}),
    ("@sentry/node", "tools/call search", 2, {"mcp.method.name": "tools/call", "mcp.tool.name": "search",
                                               "mcp.transport": "http", "mcp.request.argument.q": CANARY}),
    ("app", f"{CANARY} search", 2, CALL),
]  # fmt: skip


def add(scope: Any, name: str, kind: int, attributes: dict[str, str], number: int = 1) -> Span:
    """A span with the canary in every place that a sender may write to."""
    span: Span = scope.spans.add()
    span.trace_id, span.span_id = number.to_bytes(16, "big"), number.to_bytes(8, "big")
    span.name, span.kind, span.trace_state = name, kind, f"vendor={CANARY}"
    span.start_time_unix_nano, span.end_time_unix_nano = START + number * SECOND, START + number * SECOND + 10
    for key, value in attributes.items():
        span.attributes.add(key=key).value.string_value = value
    for key in (
        "db.query.text",
        "url.full",
        "gen_ai.input.messages",
        "exception.message",
        f"{CANARY}",
        'a"b.c',
        "a\\b",
    ):
        span.attributes.add(key=key).value.string_value = CANARY
    span.attributes.add(key="mcp.session.id").value.string_value = CANARY
    span.attributes.add(key="mcp.resource.uri").value.string_value = f"file:///{CANARY}"
    span.attributes.add(key="network.type").value.array_value.values.add().string_value = CANARY
    span.attributes.add(key="rpc.service").value.kvlist_value.values.add(key=CANARY).value.string_value = CANARY
    span.attributes.add(key="db.system.name").value.string_value = CANARY * 12  # longer than any name
    span.attributes.add(key="mcpobs.http.headers").value.string_value = json.dumps({"a": CANARY})
    span.attributes.add(key="mcpobs.policy.findings").value.kvlist_value.values.add(key=CANARY).value.int_value = 1
    span.attributes.add(key="error.type").value.string_value = CANARY
    span.attributes.add(key="user_agent.original").value.string_value = f"bot (+https://x:{CANARY[:7]}@y/{CANARY[:7]})"
    span.status.code, span.status.message = 2, CANARY
    event = span.events.add(name=CANARY, time_unix_nano=START)
    event.attributes.add(key="exception.stacktrace").value.string_value = CANARY
    link = span.links.add(trace_id=b"\1" * 16, span_id=b"\2" * 8, trace_state=f"a={CANARY}")
    link.attributes.add(key="q").value.string_value = CANARY
    return span


def request(*spans: tuple[str, str, int, dict[str, str]]) -> bytes:
    message = ExportTraceServiceRequest()
    group = message.resource_spans.add(schema_url=f"https://{CANARY}")
    group.resource.attributes.add(key="service.name").value.string_value = "svc"
    group.resource.attributes.add(key="service.version").value.string_value = "1.2"
    group.resource.attributes.add(key="telemetry.sdk.name").value.string_value = "opentelemetry"
    group.resource.attributes.add(key="process.command_args").value.array_value.values.add().string_value = CANARY
    for key in ("process.command_line", "host.name", "k8s.pod.name", CANARY):
        group.resource.attributes.add(key=key).value.string_value = CANARY
    for number, (scope_name, name, kind, attributes) in enumerate(spans, 1):
        scope = group.scope_spans.add(schema_url=f"https://{CANARY}")
        scope.scope.name, scope.scope.version = scope_name, CANARY
        scope.scope.attributes.add(key="a").value.string_value = CANARY
        add(scope, name, kind, attributes, number)
    return bytes(message.SerializeToString())


def rows_of(body: bytes, *, redact: bool) -> list[Row]:
    connection = duckdb.connect(":memory:")
    connection.register("raw", decode([body]))
    found = connection.execute(translated("raw", received=str(START), redact=redact))
    assert [(column[0], str(column[1])) for column in found.description] == list(TYPES.items())
    return [dict(zip(TYPES, row, strict=True)) for row in found.fetchall()]


@pytest.mark.parametrize("sender", SENDERS, ids=[sender[0] for sender in SENDERS])
def test_the_operation_stays_and_what_the_sender_wrote_goes(sender: tuple[str, str, int, dict[str, str]]) -> None:
    (kept,), (row,) = (rows_of(request(sender), redact=redact) for redact in (False, True))

    assert CANARY in str(kept)
    assert CANARY[:7] not in str(row)
    same = ("trace_id", "span_id", "method", "tool", "kind", "principal", "outcome", "session_id", "session_source",
            "start_unix_nano", "duration_ns", "service_name", "scope_name", "request_id", "date", "status")  # fmt: skip
    assert {name: row[name] for name in same} == {name: kept[name] for name in same}
    assert (row["method"], row["tool"], row["name"]) == ("tools/call", "search", "tools/call search")
    assert row["error_type"] == "_OTHER"
    assert json.loads(row["links"]) == [{"trace_id": "01" * 16, "span_id": "02" * 8}]
    assert json.loads(row["resource"]) == {"service.version": "1.2", "telemetry.sdk.name": "opentelemetry"}
    before, after = (sum(len(json.loads(r[column] or "{}")) for column in CONTAINERS) for r in (kept, row))
    assert json.loads(row["dropped"]) == {"redacted": before - after + 1}, "and the status message"


def test_names_that_hold_no_content_stay_with_their_types() -> None:
    message = ExportTraceServiceRequest.FromString(request(("app", "tools/call search", 2, {})))
    span = message.resource_spans[0].scope_spans[0].spans[0]
    del span.attributes[:]
    for name in ATTRIBUTES:
        span.attributes.add(key=name).value.int_value = 5
    span.attributes.add(key="url.path").value.string_value = "/v1/mcp/*"
    del message.resource_spans[0].resource.attributes[:]
    for name in RESOURCE:
        message.resource_spans[0].resource.attributes.add(key=name).value.string_value = 'a "b"'

    (row,) = rows_of(message.SerializeToString(), redact=True)

    assert json.loads(row["attributes"]) == dict.fromkeys(ATTRIBUTES, 5) | {"url.path": "/v1/mcp/*"}
    assert json.loads(row["resource"]) == dict.fromkeys(RESOURCE, 'a "b"')


def test_a_span_that_is_no_operation_is_named_by_its_kind_or_http_method() -> None:
    select = ("sqlalchemy", f"SELECT {CANARY}", 3, {"db.system.name": "postgresql"})
    get = ("http", f"GET /{CANARY}", 3, {"http.request.method": "GET"})
    found = rows_of(request(select, get), redact=True)
    assert CANARY[:7] not in str(found)
    assert [row["name"] for row in found] == ["client", "GET"]


def test_the_reports_of_model_calls_have_what_they_need() -> None:
    usage = {"gen_ai.request.model": "m", "gen_ai.usage.input_tokens": "9", "gen_ai.conversation.id": "c-1"}
    (row,) = rows_of(request(("openai", "chat m", 3, usage)), redact=True)
    assert {name: json.loads(row["attributes"]).get(name) for name in usage} == usage


def test_a_span_without_any_of_it_is_as_it_was() -> None:
    message = ExportTraceServiceRequest()
    span = message.resource_spans.add().scope_spans.add().spans.add(trace_id=b"\1" * 16, span_id=b"\1" * 8, name="x")
    span.start_time_unix_nano = START
    body = message.SerializeToString()
    (kept,), (row,) = (rows_of(body, redact=redact) for redact in (False, True))
    assert row == kept | {"name": "span"}


# -- through the log -----------------------------------------------------------------------------------------


def logged(lake: Path, body: bytes, *, redact: bool) -> None:
    log = Wal(lake, redact=redact)
    log.append([body])
    log.close()


def stored(lake: Path) -> list[Row]:
    with open_reading(lake) as reading:
        found = reading.connection.execute(f"select {', '.join(TYPES)} from spans order by start_unix_nano")
        return [dict(zip(TYPES, row, strict=True)) for row in found.fetchall()]


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    open_folder(tmp_path)
    return tmp_path


@pytest.mark.parametrize("repeated", [False, True], ids=["straight to the file", "as a table"])
def test_whichever_way_a_batch_takes_it_is_without_content(lake: Path, repeated: bool) -> None:
    body = request(SENDERS[0])
    logged(lake, body, redact=True)
    if repeated:  # a span that comes twice takes the longer way
        logged(lake, body, redact=True)
    writer.commit(lake, wait=True)

    (row,) = stored(lake)
    assert CANARY[:7] not in str(row)
    assert row["session_id"] == session_digest(CANARY)
    files = [path for path in lake.rglob("*") if path.is_file()]
    assert not any(CANARY[:7].encode() in path.read_bytes() for path in files)


def test_requests_with_and_without_content_of_one_commit_are_not_mixed_up(lake: Path) -> None:
    for number, redact in enumerate([False, True, True, False]):
        message = ExportTraceServiceRequest.FromString(request(SENDERS[0]))
        message.resource_spans[0].scope_spans[0].spans[0].span_id = bytes([number + 1] * 8)
        message.resource_spans[0].scope_spans[0].spans[0].start_time_unix_nano += number
        logged(lake, message.SerializeToString(), redact=redact)
    writer.commit(lake, wait=True)

    assert [CANARY in str(row) for row in stored(lake)] == [True, False, False, True]


def test_what_a_collector_that_died_has_left_is_without_content_whoever_commits_it(lake: Path) -> None:
    logged(lake, request(*SENDERS), redact=True)

    subprocess.run([sys.executable, "-m", "mcpobs", "lake", "compact", "--lake", lake], check=True, timeout=120)

    rows = stored(lake)
    assert len(rows) == len(SENDERS)
    assert CANARY[:7] not in str(rows)
