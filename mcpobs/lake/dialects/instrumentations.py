"""Owns the dialects of packages that instrument MCP from outside.

Each was run on mcp 1.30, and its tables follow the spans that it sent. OpenInference sends no MCP spans: it propagates
the context. So its tool span is an agent's view, kept as a span with the tool's name, and is not an operation.
"""

from __future__ import annotations

from typing import Final

from mcpobs.lake.dialects.dialect import CONVENTIONS, Dialect, content, outcome
from mcpobs.lake.dialects.meanings import FAILED_RESULT, MEANT, REPORTED, STATUS_CODE
from mcpobs.lake.dialects.texts import attribute, member

_SCOPE: Final = "opentelemetry.instrumentation.mcp.instrumentation"
_IS_SERVER: Final = (
    f"({attribute('mcp.session.init_options')} is not null "
    f"or coalesce(starts_with({attribute('traceloop.entity.output')}, '['), false))"
)
_PARAMS: Final = "mcp.request.argument"  # of the whole request

OPENLLMETRY: Final = Dialect(
    name="openllmetry",
    source="opentelemetry-instrumentation-mcp 0.62.4: instrumentation.py, fastmcp_instrumentation.py; 0.40: "
    "instrumentation.py (the method as the name)",
    # `<tool>.tool`, `<method>.mcp` and, in 2025, `<method>`, all of kind internal; other spans, e.g.
    # ResponseStreamWriter, are the transport's
    matches=f"scope_name = '{_SCOPE}' and kind = 1 "
    "and (ends_with(name, '.tool') or ends_with(name, '.mcp') or name = at_method)",
    columns={
        **CONVENTIONS,
        "method": "case when ends_with(name, '.mcp') then left(name, -4) when ends_with(name, '.tool') "
        "then 'tools/call' else at_method end",
        "tool": f"case when ends_with(name, '.tool') then coalesce({attribute('traceloop.entity.name')}, "
        f"left(name, -5)) when name in ('tools/call', 'tools/call.mcp') then {member(_PARAMS, '$.params.name')} end",
        # Client and server name their spans alike; a server's result is a list of content, a client's an object.
        # Without captured content they look the same, and a missed call is better than a call counted twice.
        "kind": f"case when {_IS_SERVER} then 'server' else 'client' end",
        "request_id": f"coalesce(at_request_id, {attribute('mcp.request.id')})",
        "server_name": attribute("traceloop.workflow.name"),
        **content(
            f"coalesce({member('traceloop.entity.input', '$.arguments')}, {member(_PARAMS, '$.params.arguments')})",
            f"coalesce({attribute('traceloop.entity.output')}, {attribute('mcp.response.value')})",
        ),
    },
)


def _request(path: str) -> str:
    return member("request", path)


def _response(path: str) -> str:
    return member("response", path)


LOGFIRE: Final = Dialect(
    name="logfire",
    source="logfire 5.2.0: logfire/_internal/integrations/mcp.py",
    matches="scope_name = 'logfire.mcp' and (starts_with(name, 'MCP server handle request') "
    "or starts_with(name, 'MCP client handle request') or starts_with(name, 'MCP request'))",
    columns={
        **CONVENTIONS,
        # a client handles requests that the server sent, and vice versa
        "kind": "case when starts_with(name, 'MCP server') then 'server' else 'client' end",
        "method": f"coalesce({attribute('rpc.method')}, {_request('$.method')})",
        "tool": f"case when {_request('$.method')} = 'tools/call' then {_request('$.params.name')} end",
        "prompt": f"case when {_request('$.method')} = 'prompts/get' then {_request('$.params.name')} end",
        "resource_uri": f"nullif(regexp_extract({_request('$.params.uri')}, '^[A-Za-z][A-Za-z0-9+.-]*'), '')",
        "request_id": _request("$.id"),
        "status_code": _response("$.code"),
        "outcome": f"case when {_response('$.isError')} = 'true' then 'tool_error' "
        f"when {_response('$.code')} in ('-32601', '-32602') then 'protocol_error' "
        f"when {_response('$.code')} is not null or status = 2 then 'server_error' else 'ok' end",
        "client_name": _request("$.params.clientInfo.name"),
        "client_version": _request("$.params.clientInfo.version"),
        **content(_request("$.params.arguments"), attribute("response")),
    },
)

OPENINFERENCE: Final = Dialect(
    name="openinference",
    source="openinference-semantic-conventions 0.1.42: trace.py; openinference-instrumentation-mcp 2.0.13",
    matches="starts_with(scope_name, 'openinference.instrumentation.') "
    'and contains(attributes, \'"openinference.span.kind":"TOOL"\')',
    columns={"tool": attribute("tool.name")},
)

SENTRY: Final = Dialect(
    name="sentry",
    source="sentry-sdk 2.75.0: integrations/mcp.py; getsentry/sentry-javascript: "
    "packages/core/src/integrations/mcp-server/attributes.ts, spans.ts",
    # A search that begins with a quote, which is in each attribute four times, takes 0.3 µs a span more; so the quote
    # is searched only after the rest was found.
    matches="at_method is not null and ((contains(scope_name, 'sentry') and contains(attributes, 'mcp.')) "
    'or (contains(attributes, \'sentry.op":"mcp.\') and contains(attributes, \'"sentry.op":"mcp.\')))',
    columns={
        **CONVENTIONS,
        **MEANT,
        "kind": f"case {attribute('sentry.op')} when 'mcp.notification.server_to_client' then 'client' "
        "else 'server' end",
        "outcome": outcome(
            f"when {FAILED_RESULT} then 'tool_error' "
            # an exception of a tool becomes its result
            f"when status = 2 and at_method = 'tools/call' and {STATUS_CODE} is null and at_error_type is null "
            "then 'tool_error'",
            status_code=STATUS_CODE,
            reported=REPORTED,
        ),
    },
)
