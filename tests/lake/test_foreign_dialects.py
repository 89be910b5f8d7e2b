"""Spans as packages and gateways send them: the attributes are those that were seen on the wire, or in their source."""

from __future__ import annotations

import json
from typing import Any

import pytest
from opentelemetry.trace import SpanKind
from opentelemetry.trace.status import Status, StatusCode

from mcpobs.protocol.naming import qualified, session_digest
from tests.lake.test_dialects import Row, made

TRACELOOP = "opentelemetry.instrumentation.mcp.instrumentation"
FAILED = Status(StatusCode.ERROR)


def values(row: Row, *names: str) -> tuple[Any, ...]:
    return tuple(row[name] for name in names)


def test_openllmetry_writes_tool_calls_of_a_client_and_of_a_server_alike_but_for_the_result() -> None:
    tool = {"traceloop.span.kind": "tool", "traceloop.entity.name": "add"}
    sent = tool | {"traceloop.entity.output": '{"result": "3"}'}
    row = made(TRACELOOP, "add.tool", SpanKind.INTERNAL, attributes=sent)
    assert values(row, "kind", "method", "tool", "outcome") == ("client", "tools/call", "add", "ok")
    served = tool | {"traceloop.entity.output": '[{"type": "text", "content": "3"}]', "traceloop.workflow.name": "demo"}
    row = made(TRACELOOP, "add.tool", SpanKind.INTERNAL, attributes=served)
    assert values(row, "kind", "method", "tool", "server_name") == ("server", "tools/call", "add", "demo")
    row = made(TRACELOOP, "fail.tool", SpanKind.INTERNAL, FAILED, attributes=tool | {"error.type": "tool_error"})
    assert values(row, "kind", "outcome", "error_type") == ("client", "tool_error", "tool_error")


def test_openllmetry_names_other_requests_by_their_method_and_steps_of_the_transport_are_none() -> None:
    row = made(TRACELOOP, "prompts/get.mcp", SpanKind.INTERNAL, FAILED, attributes={"error.type": "McpError"})
    assert values(row, "kind", "method", "tool", "outcome") == ("client", "prompts/get", None, "server_error")
    row = made(TRACELOOP, "ResponseStreamWriter", SpanKind.INTERNAL, attributes={"mcp.request.id": "3"})
    assert values(row, "kind", "method", "outcome") == ("internal", None, None)


def _logfire(request: dict[str, object], response: dict[str, object]) -> dict[str, str]:
    return {"request": json.dumps(request), "response": json.dumps(response), "logfire.span_type": "span"}


def test_logfire_keeps_the_facts_of_a_server_in_the_request_and_the_response() -> None:
    call = {"method": "tools/call", "params": {"name": "add", "arguments": {"a": 1}}, "jsonrpc": "2.0", "id": 2}
    name = "MCP server handle request: tools/call"
    row = made("logfire.mcp", name, SpanKind.INTERNAL, attributes=_logfire(call, {"isError": False}))
    assert values(row, "kind", "method", "tool", "request_id", "outcome") == ("server", "tools/call", "add", "2", "ok")
    row = made("logfire.mcp", name, SpanKind.INTERNAL, attributes=_logfire(call, {"isError": True}))
    assert row["outcome"] == "tool_error"
    row = made("logfire.mcp", name, SpanKind.INTERNAL, attributes=_logfire(call, {"code": -32602, "message": "?"}))
    assert values(row, "outcome", "status_code") == ("protocol_error", "-32602")
    row = made("logfire.mcp", name, SpanKind.INTERNAL, attributes=_logfire(call, {"code": 0, "message": "broken"}))
    assert values(row, "outcome", "status_code") == ("server_error", "0")
    read = {"method": "resources/read", "params": {"uri": "res://x"}, "id": 6}
    row = made(
        "logfire.mcp", "MCP server handle request: resources/read", SpanKind.INTERNAL, attributes=_logfire(read, {})
    )
    assert values(row, "method", "tool", "resource_uri") == ("resources/read", None, "res")


def test_logfire_distinguishes_a_clients_requests_from_a_servers() -> None:
    sent = _logfire({"method": "prompts/get", "params": {"name": "hello"}}, {"messages": []})
    row = made(
        "logfire.mcp", "MCP request: prompts/get", SpanKind.INTERNAL, attributes=sent | {"rpc.method": "prompts/get"}
    )
    assert values(row, "kind", "method", "prompt", "outcome") == ("client", "prompts/get", "hello", "ok")
    row = made(
        "logfire.mcp", "MCP client handle request: ping", SpanKind.INTERNAL, attributes=_logfire({"method": "ping"}, {})
    )
    assert values(row, "kind", "method") == ("client", "ping")
    row = made("logfire.mcp", "MCP server log from app", SpanKind.INTERNAL, attributes={"data": "x"})
    assert values(row, "method", "outcome") == (None, None)


SENTRY = {
    "mcp.method.name": "tools/call",
    "mcp.tool.name": "add",
    "mcp.transport": "http",
    "network.transport": "tcp",
    "mcp.request.id": 2,
    "mcp.session.id": "8b8f88e0",
}


@pytest.mark.parametrize("kind", [SpanKind.INTERNAL, SpanKind.SERVER])
def test_sentry_has_names_of_its_own_for_tool_and_request_id(kind: SpanKind) -> None:
    row = made("@sentry/node", "tools/call add", kind, attributes=SENTRY)
    names = ("kind", "method", "tool", "request_id", "transport", "outcome", "session_id", "session_source")
    assert values(row, *names) == (
        "server",
        "tools/call",
        "add",
        "2",
        "http",
        "ok",
        session_digest("8b8f88e0"),
        "protocol_session",
    )


def test_sentry_marks_a_tools_error_by_a_flag_or_by_the_status_alone() -> None:
    row = made(
        "@sentry/node", "tools/call add", SpanKind.INTERNAL, attributes=SENTRY | {"mcp.tool.result.is_error": True}
    )
    assert row["outcome"] == "tool_error"
    assert made("sentry", "tools/call add", SpanKind.INTERNAL, FAILED, attributes=SENTRY)["outcome"] == "tool_error"
    get = {"mcp.method.name": "prompts/get", "mcp.prompt.name": "no", "mcp.transport": "stdio"}
    row = made("sentry", "prompts/get no", SpanKind.INTERNAL, FAILED, attributes=get)
    assert values(row, "prompt", "outcome", "transport") == ("no", "server_error", "stdio")


def test_a_notification_that_a_server_sends_is_a_client_span_in_sentry() -> None:
    sent = {"mcp.method.name": "notifications/message", "sentry.op": "mcp.notification.server_to_client"}
    assert made("@sentry/node", "notifications/message", SpanKind.INTERNAL, attributes=sent)["kind"] == "client"


def test_a_tool_span_of_openinference_is_an_agents_view_and_no_operation() -> None:
    tool = {"openinference.span.kind": "TOOL", "tool.name": "search"}
    row = made("openinference.instrumentation.openai_agents", "search", SpanKind.INTERNAL, attributes=tool)
    assert values(row, "kind", "method", "tool", "outcome") == ("internal", None, "search", None)
    assert json.loads(row["attributes"]) == tool


AGENTGATEWAY = {
    "mcp.method.name": "tools/call",
    "mcp.target": "everything",
    "gen_ai.tool.name": "echo",
    "mcp.session.id": "s-1",
    "jwt.sub": "ann",
    "http.status": 200,
    "protocol": "mcp",
}


def test_agentgateway_records_the_caller_and_the_http_status() -> None:
    row = made("agentgateway", "POST /mcp", attributes=AGENTGATEWAY)
    names = (
        "kind",
        "method",
        "tool",
        "principal",
        "enforcement_key",
        "http_status",
        "transport",
        "outcome",
        "session_id",
    )
    session = qualified(session_digest("s-1"), "ann", None)
    assert values(row, *names) == ("server", "tools/call", "echo", "ann", "principal:ann", 200, "http", "ok", session)
    assert (
        made("agentgateway", "POST /mcp", attributes=AGENTGATEWAY | {"http.status": 503})["outcome"] == "server_error"
    )
    row = made("agentgateway", "POST /mcp", attributes=AGENTGATEWAY | {"http.status": 401, "jwt.sub": 5})
    assert values(row, "outcome", "http_status") == ("protocol_error", 401)
    assert values(made("agentgateway", "GET /", attributes={"http.status": 200}), "method", "outcome") == (None, None)


def test_contextforge_names_operations_of_its_own() -> None:
    tool = {"tool.name": "echo", "tool.integration_type": "MCP", "user.email": "ann@example.org", "success": True}
    row = made("mcp-gateway", "tool.invoke", SpanKind.INTERNAL, Status(StatusCode.OK), attributes=tool)
    names = ("kind", "method", "tool", "principal", "enforcement_source", "outcome", "status")
    assert values(row, *names) == ("server", "tools/call", "echo", "ann@example.org", "principal", "ok", "ok")
    row = made("mcp-gateway", "tool.invoke", SpanKind.INTERNAL, FAILED, attributes=tool | {"success": False})
    assert row["outcome"] == "tool_error"
    row = made("mcp-gateway", "tool.invoke", SpanKind.INTERNAL, attributes=tool | {"user.email": "anonymous"})
    assert values(row, "principal", "enforcement_key", "enforcement_source") == (None, None, None)
    row = made("mcp-gateway", "resource.read", SpanKind.INTERNAL, attributes={"resource.uri": "file:///x"})
    assert values(row, "method", "resource_uri") == ("resources/read", "file")
    row = made("mcp-gateway", "mcp.initialize", SpanKind.INTERNAL, attributes={"mcp.protocol_version": "2025-06-18"})
    assert values(row, "method", "protocol_version") == ("initialize", "2025-06-18")
    row = made("mcp-gateway", "tool.gateway_call", SpanKind.INTERNAL, attributes=tool)
    assert values(row, "kind", "method") == ("internal", None)
