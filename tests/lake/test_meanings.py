"""Spans of several releases of each instrumentation mean the same, under whichever names."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import duckdb
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from mcpobs.lake.dialects import translated
from mcpobs.lake.dialects.meanings import ATTRIBUTES
from mcpobs.lake.otlp import plain
from mcpobs.lake.otlp.decode import decode, from_json

Values = Mapping[str, str | bool | int]
INTERNAL, SERVER, CLIENT = 1, 2, 3
CALL = "tools/call"


class Release(NamedTuple):
    scope: str
    name: str
    kind: int
    attributes: Values
    expected: tuple[str | None, ...]  # kind, method, tool, outcome, session source


RELEASES = {
    "agentgateway 2025": Release(
        "agentgateway",
        "POST /mcp",
        SERVER,
        {"mcp.method": CALL, "mcp.target": "all", "mcp.tool": "t", "http.status": "200"},
        ("server", CALL, "t", "ok", "trace"),
    ),
    "agentgateway without a tool": Release(
        "agentgateway",
        CALL,
        SERVER,
        {"mcp.method.name": CALL, "mcp.resource.type": "tool", "mcp.resource.uri": "t"},
        ("server", CALL, "t", "ok", "trace"),
    ),
    "FastMCP before 2026": Release(
        "fastmcp",
        "tool greet",
        SERVER,
        {"rpc.system": "mcp", "rpc.method": CALL, "fastmcp.server.name": "s"},
        ("server", CALL, "greet", "ok", "trace"),
    ),
    "C# before the conventions": Release(
        "Experimental.ModelContextProtocol",
        "tools/call t",
        SERVER,
        {"mcp.method.name": CALL, "mcp.tool.name": "t", "mcp.session.id": "z"},
        ("server", CALL, "t", "ok", "protocol_session"),
    ),
    "Envoy before July 2026": Release(
        "envoy-ai-gateway",
        "CallTool",
        CLIENT,
        {"mcp.method.name": CALL, "mcp.tool.name": "t", "mcp.transport": "http"},
        ("client", CALL, "t", "ok", "trace"),
    ),
    "Sentry with the conventions' names": Release(
        "@sentry/node",
        "tools/call t",
        INTERNAL,
        {"sentry.op": "mcp.server", "mcp.method.name": CALL, "gen_ai.tool.name": "t"},
        ("server", CALL, "t", "ok", "trace"),
    ),
    "Traceloop before 0.48": Release(
        "opentelemetry.instrumentation.mcp",
        "t.tool",
        INTERNAL,
        {"mcp.method.name": CALL, "traceloop.entity.name": "t"},
        ("server", CALL, "t", "ok", "trace"),
    ),
    "internal with a flag of an error": Release(
        "x",
        "tools/call t",
        INTERNAL,
        {"mcp.method.name": CALL, "mcp.tool.result.is_error": True},
        ("server", CALL, "t", "tool_error", "trace"),
    ),
    "an agent's own tool": Release(
        "@mastra/otel",
        "execute_tool t",
        INTERNAL,
        {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "t"},
        ("internal", None, "t", None, None),
    ),
    "another system's method": Release(
        "x", "eth_call", SERVER, {"rpc.system": "jsonrpc", "rpc.method": "eth_call"}, ("server", None, None, None, None)
    ),
    "FastMCP's step": Release(
        "fastmcp",
        "tools/call t",
        INTERNAL,
        {"mcp.method.name": CALL, "gen_ai.tool.name": "t", "mcp.tool.name": "t"},
        ("internal", CALL, "t", None, None),
    ),
}
COLUMNS = "kind, method, tool, outcome, session_source"


def _value(value: str | bool | int) -> dict[str, Any]:
    key = {str: "stringValue", bool: "boolValue", int: "intValue"}[type(value)]
    return {key: value}


def _sent(release: Release, attributes: list[tuple[str, str | bool | int]]) -> dict[str, Any]:
    span = {
        "traceId": "01" * 16,
        "spanId": "02" * 8,
        "name": release.name,
        "kind": release.kind,
        "startTimeUnixNano": "1700000000000000000",
        "endTimeUnixNano": "1700000000005000000",
        "attributes": [{"key": key, "value": _value(value)} for key, value in attributes],
    }
    return {"resourceSpans": [{"scopeSpans": [{"scope": {"name": release.scope}, "spans": [span]}]}]}


def _protobuf(sent: dict[str, Any]) -> bytes:
    [spans] = sent["resourceSpans"][0]["scopeSpans"]
    [span] = spans["spans"]
    request = ExportTraceServiceRequest()
    scope = request.resource_spans.add().scope_spans.add()
    scope.scope.name = spans["scope"]["name"]
    made: Span = scope.spans.add(
        trace_id=bytes.fromhex(span["traceId"]),
        span_id=bytes.fromhex(span["spanId"]),
        name=span["name"],
        kind=span["kind"],
        start_time_unix_nano=int(span["startTimeUnixNano"]),
        end_time_unix_nano=int(span["endTimeUnixNano"]),
    )
    fields = {"stringValue": "string_value", "boolValue": "bool_value", "intValue": "int_value"}
    for attribute in span["attributes"]:
        [(key, value)] = attribute["value"].items()
        setattr(made.attributes.add(key=attribute["key"]).value, fields[key], value)
    return request.SerializeToString()


def _row(batch: Any, columns: str = COLUMNS) -> tuple[Any, ...]:
    connection = duckdb.connect(":memory:")
    connection.register("raw", batch)
    [row] = connection.execute(f"select {columns} from ({translated('raw')})").fetchall()
    return tuple(row)


@pytest.mark.parametrize("release", RELEASES.values(), ids=RELEASES.keys())
def test_each_release_is_read_the_same_by_both_decoders_in_any_order_and_with_names_repeated(release: Release) -> None:
    attributes = list(release.attributes.items())
    for sent in (attributes, attributes[::-1], attributes + attributes):
        request = _sent(release, sent)
        encodings = (_protobuf(request), from_json(json.dumps(request).encode()))
        for body, decoder in itertools.product(encodings, (decode, plain.decode)):
            assert _row(decoder([body])) == release.expected


@pytest.mark.parametrize("column", ["tool", "request_id", "prompt", "server_name"])
def test_of_two_names_of_one_fact_the_earlier_in_the_table_decides(column: str) -> None:
    for (first, second), turned in itertools.product(itertools.combinations(ATTRIBUTES[column], 2), (False, True)):
        pair: list[tuple[str, str | bool | int]] = [(first, "first"), (second, "second"), ("mcp.server.id", "x")]
        release = Release("x", CALL, SERVER, {}, ())
        sent = [("mcp.method.name", CALL), *(pair[::-1] if turned else pair)]
        assert _row(decode([_protobuf(_sent(release, sent))]), column) == ("first",), (first, second)


@pytest.mark.parametrize(
    ("error_type", "outcome"),
    [
        ("asyncio.exceptions.CancelledError", "cancelled"),
        ("System.Threading.Tasks.TaskCanceledException", "cancelled"),
        ("System.OperationCanceledException", "cancelled"),
        ("java.util.concurrent.CancellationException", "cancelled"),
        ("context canceled", "cancelled"),
        ("AbortError", "cancelled"),
        ("builtins.TimeoutError", "timeout"),
        ("httpx.ReadTimeout", "timeout"),
        ("java.util.concurrent.TimeoutException", "timeout"),
        ("context.DeadlineExceeded", "timeout"),
        ("context deadline exceeded", "timeout"),
        ("fastmcp.exceptions.ToolError", "tool_error"),
        ("tool_error", "tool_error"),
        ("-32602", "protocol_error"),
        ("McpError", "server_error"),
        ("SubscriptionCancelledHandlerMissing", "server_error"),
        ("TimeoutPolicyMissingError", "server_error"),
    ],
)
def test_an_error_type_may_be_the_class_of_an_exception(error_type: str, outcome: str) -> None:
    release = Release("x", CALL, SERVER, {}, ())
    sent: list[tuple[str, str | bool | int]] = [("mcp.method.name", CALL), ("error.type", error_type)]
    assert _row(decode([_protobuf(_sent(release, sent))]), "outcome") == (outcome,)
