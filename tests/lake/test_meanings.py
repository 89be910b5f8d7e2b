"""Spans of several releases of each instrumentation mean the same, under whichever names."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from mcpobs.keys import open_folder
from mcpobs.lake import writer
from mcpobs.lake.dialects import translated
from mcpobs.lake.dialects.meanings import ATTRIBUTES
from mcpobs.lake.otlp import plain
from mcpobs.lake.otlp.columns import PROMOTED
from mcpobs.lake.otlp.decode import decode, from_json
from mcpobs.lake.reader import open_reading
from mcpobs.lake.wal import Wal
from tests.queries.recorded import ask

Values = Mapping[str, str | bool | int]
Said = list[tuple[str, str | bool | int]]
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
    "agentgateway 2025 with a resource's name": Release(
        "agentgateway",
        "POST /mcp",
        SERVER,
        {"mcp.method": CALL, "mcp.resource.type": "tool", "mcp.resource.name": "t", "mcp.session.id": "z"},
        ("server", CALL, "t", "ok", "protocol_session"),
    ),
    "agentgateway's part of a request": Release("agentgateway", CALL, SERVER, {}, ("server", None, None, None, None)),
    "FastMCP before 2026 with its session": Release(
        "fastmcp",
        "tool greet",
        CLIENT,
        {"rpc.system": "mcp", "rpc.method": CALL, "fastmcp.session.id": "s", "fastmcp.component.key": "greet"},
        ("client", CALL, "greet", "ok", "protocol_session"),
    ),
    "FastMCP in early 2026": Release(
        "fastmcp",
        "tools/call greet",
        SERVER,
        {"mcp.method.name": CALL, "rpc.system": "mcp", "rpc.method": CALL, "mcp.session.id": "s"},
        ("server", CALL, "greet", "ok", "protocol_session"),
    ),
    "Traceloop 2025": Release(
        "opentelemetry.instrumentation.mcp",
        "tools/call.mcp",
        INTERNAL,
        {"mcp.method.name": CALL, "mcp.request.argument": "{}", "traceloop.association.properties.session_id": "c"},
        ("server", CALL, None, "ok", "conversation"),
    ),
    "Traceloop 2025, a client": Release(
        "opentelemetry.instrumentation.mcp.instrumentation",
        CALL,
        INTERNAL,
        {"mcp.method.name": CALL, "mcp.request.argument": '{"method": "tools/call", "params": {"name": "t"}}'},
        ("client", CALL, "t", "ok", "trace"),
    ),
    "Traceloop 2025, a server": Release(
        "opentelemetry.instrumentation.mcp.instrumentation",
        "tools/call",
        INTERNAL,
        {"mcp.method.name": CALL, "mcp.session.init_options": "x", "mcp.request.argument": '{"params": {"name": "t"}}'},
        ("server", CALL, "t", "ok", "trace"),
    ),
    "Traceloop's step of the transport": Release(
        "opentelemetry.instrumentation.mcp.instrumentation",
        "RequestStreamWriter",
        INTERNAL,
        {"mcp.method.name": CALL, "mcp.request.id": "1"},
        ("internal", CALL, None, None, None),
    ),
    "Sentry with a failure": Release(
        "@sentry/node",
        "tools/call t",
        INTERNAL,
        {"mcp.method.name": CALL, "mcp.tool.name": "t", "mcp.tool.result.is_error": True, "sentry.op": "mcp.server"},
        ("server", CALL, "t", "tool_error", "trace"),
    ),
    "litellm": Release(
        "litellm",
        "tools/call t",
        CLIENT,
        {"mcp.method.name": CALL, "gen_ai.tool.name": "t", "litellm.mcp.server.name": "s"},
        ("client", CALL, "t", "ok", "trace"),
    ),
    "litellm without a method": Release(
        "litellm",
        "execute_tool t",
        CLIENT,
        {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "t", "mcp.server.name": "s"},
        ("client", CALL, "t", "ok", "trace"),
    ),
    "an agent's view of a server's tool": Release(
        "x",
        "execute_tool t",
        INTERNAL,
        {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "t", "mcp.session.id": "z"},
        ("client", CALL, "t", "ok", "protocol_session"),
    ),
    "a server's tool": Release(
        "x",
        "execute_tool t",
        INTERNAL,
        {"gen_ai.operation.name": "execute_tool", "mcp.tool.name": "t"},
        ("server", CALL, "t", "ok", "trace"),
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


def _rows(batch: Any, columns: str) -> list[tuple[Any, ...]]:
    connection = duckdb.connect(":memory:")
    connection.register("raw", batch)
    return connection.execute(f"select {columns} from ({translated('raw')}) order by span_id").fetchall()


def _row(batch: Any, columns: str) -> tuple[Any, ...]:
    [row] = _rows(batch, columns)
    return row


@pytest.mark.parametrize("release", RELEASES.values(), ids=RELEASES.keys())
def test_each_release_is_read_the_same_by_both_decoders_in_any_order_and_with_names_repeated(release: Release) -> None:
    attributes = list(release.attributes.items())
    requests = [_sent(release, sent) for sent in (attributes, attributes[::-1], attributes + attributes)]
    bodies = [body for sent in requests for body in (_protobuf(sent), from_json(json.dumps(sent).encode()))]
    for decoder in (decode, plain.decode):
        rows = _rows(decoder(bodies), COLUMNS)
        assert (set(rows), len(rows)) == ({release.expected}, len(bodies))


SHOWN = {
    "mcp_session_id": "session_id",
    "conversation_id": "session_id",
    "arguments": "args_digest",
    "result": "result_digest",
    "is_error": "outcome",
    "success": "outcome",
    "status": "outcome",
}
"""Meaning to its column, if that has another name."""
SAID: dict[str, tuple[str | bool | int, str | bool | int]] = {
    "method": (CALL, "prompts/get"),
    "transport": ("stdio", "sse"),
    "http_status": (201, 202),
    "is_error": (True, False),
    "success": (False, True),
    "status": ("Timeout", "denied"),
}
"""Meaning to two values, if it has certain ones."""
OWN = {promoted.column: promoted.attribute for promoted in PROMOTED}


def _names(meaning: str) -> tuple[str, ...]:
    own = OWN.get(f"at_{meaning}")
    return (own, *ATTRIBUTES[meaning]) if own else ATTRIBUTES[meaning]


def _shown(meaning: str, *said: Said) -> list[Any]:
    """The column of a meaning, for spans with these attributes; one query, because planning takes most of the time."""
    base = {"mcp.method.name": CALL, "gen_ai.tool.name": "t"}
    named = [(name, value) for name, value in base.items() if name not in _names(meaning)]
    requests = []
    for number, attributes in enumerate(said, start=1):
        sent = _sent(Release("x", CALL, SERVER, {}, ()), [*named, *attributes])
        sent["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["spanId"] = f"{number:016x}"
        requests.append(_protobuf(sent))
    column = SHOWN.get(meaning, meaning)
    shown = [[value for (value,) in _rows(decoder(requests), column)] for decoder in (decode, plain.decode)]
    assert shown[0] == shown[1]
    return shown[0]


@pytest.mark.parametrize("meaning", ATTRIBUTES)
def test_each_name_of_a_fact_is_read_and_of_two_the_earlier_in_the_table_decides(meaning: str) -> None:
    first, second = SAID.get(meaning, ("first", "second"))
    names = _names(meaning)
    pairs = [[(earlier, first), (later, second)] for earlier, later in itertools.pairwise(names)]
    nothing, *shown = _shown(meaning, [], *([(name, first)] for name in names), *pairs, *(pair[::-1] for pair in pairs))
    assert nothing not in shown
    assert len(set(shown)) == 1, dict(zip([*names, *map(str, pairs), *map(str, pairs)], shown, strict=True))


def test_equal_arguments_have_equal_digests_and_their_size() -> None:
    base = [("mcp.method.name", CALL), ("gen_ai.tool.name", "t")]
    sent: list[list[tuple[str, str | bool | int]]] = [
        [("gen_ai.tool.call.arguments", '{"q":"ä"}')],
        [("mcp.request.argument", '{"q":"ä"}')],
        [("gen_ai.tool.call.arguments", '{"q":"b"}')],
    ]
    columns = "args_bytes, args_digest"
    rows = [_row(decode([_protobuf(_sent(Release("x", CALL, SERVER, {}, ()), [*base, *it]))]), columns) for it in sent]
    assert [size for size, _ in rows] == [10, 10, 9]
    assert rows[0] == rows[1]
    assert rows[0][1] != rows[2][1]


def test_sentrys_attributes_of_each_argument_are_the_arguments_in_any_order() -> None:
    release = Release("@sentry/node", f"{CALL} t", INTERNAL, {}, ())
    base = [("mcp.method.name", CALL), ("mcp.tool.name", "t"), ("sentry.op", "mcp.server")]
    pair: list[tuple[str, str | bool | int]] = [
        ("mcp.request.argument.a", '"x, \\"}"'),
        ("mcp.request.argument.b", 2),
    ]
    digests = {
        _row(decode([_protobuf(_sent(release, [*base, *given]))]), "args_digest")
        for given in (pair, pair[::-1], pair[:1], pair[1:], [])
    }
    assert len(digests) == 4
    assert (None,) in digests


PROMPTS = {
    "FastMCP before 2026": ("fastmcp", "prompt p", {"rpc.system": "mcp", "rpc.method": "prompts/get"}),
    "FastMCP in early 2026": ("fastmcp", "prompts/get p", {"mcp.method.name": "prompts/get"}),
    "agentgateway 2025": (
        "agentgateway",
        "POST /mcp",
        {"mcp.method": "prompts/get", "mcp.resource.type": "prompt", "mcp.resource.name": "p"},
    ),
    "agentgateway without a prompt": (
        "agentgateway",
        "prompts/get",
        {"mcp.method.name": "prompts/get", "mcp.resource.type": "prompt", "mcp.resource.uri": "p"},
    ),
}


@pytest.mark.parametrize("sent", PROMPTS.values(), ids=PROMPTS.keys())
def test_a_prompt_is_found_in_each_release(sent: tuple[str, str, dict[str, str]]) -> None:
    scope, name, attributes = sent
    request = _protobuf(_sent(Release(scope, name, SERVER, {}, ()), list(attributes.items())))
    for decoder in (decode, plain.decode):
        assert _row(decoder([request]), "method, tool, prompt") == ("prompts/get", None, "p")


def test_a_call_that_is_repeated_is_a_loop_if_the_sender_exports_its_content(tmp_path: Path) -> None:
    open_folder(tmp_path)
    log, now = Wal(tmp_path), time.time_ns()  # older spans get the time of their receipt
    content = {"gen_ai.tool.call.arguments": '{"q":1}', "mcp.tool.result.content": "none"}
    for number, tool in itertools.product(range(6), ("with", "without")):
        attributes = {"mcp.method.name": CALL, "gen_ai.tool.name": tool, "mcp.session.id": tool}
        sent = _sent(
            Release("x", CALL, SERVER, {}, ()), [*attributes.items(), *(content.items() if tool == "with" else ())]
        )
        [span] = sent["resourceSpans"][0]["scopeSpans"][0]["spans"]
        start = now + number * 1_000_000_000
        span |= {"traceId": f"{number + 1:032x}", "spanId": f"{number + 1:015x}{len(tool)}"} | {
            "startTimeUnixNano": str(start),
            "endTimeUnixNano": str(start + 5_000_000),
        }
        log.append([_protobuf(sent)])
    log.close()
    writer.commit(tmp_path, wait=True)

    with open_reading(tmp_path) as reading:
        loops = ask(reading, "loops")

    assert [(loop["pattern"], loop["calls"]) for loop in loops] == [("with", 6)]


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        ({"mcp.tool.status": "ERROR"}, "tool_error"),
        ({"mcp.tool.status": "ok"}, "ok"),
        ({"mcp.tool.status": "error", "error.type": "TimeoutError"}, "timeout"),
        ({"mcp.tool.status": "timeout", "error.type": "ToolError"}, "tool_error"),
        ({"mcp.tool.status": "error", "error.type": "KeyError"}, "tool_error"),
        ({"mcp.tool.success": False, "error.type": "KeyError"}, "tool_error"),
        ({"mcp.error.code": "-32602"}, "protocol_error"),
        ({"rpc.jsonrpc.error_code": -32603}, "server_error"),
    ],
)
def test_the_conventions_error_decides_before_a_status(said: Values, outcome: str) -> None:
    assert _shown("status", [*said.items()]) == [outcome]


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
