"""Owns the dialects of gateways in front of MCP servers."""

from __future__ import annotations

from typing import Final

from mcpobs.lake.dialects.dialect import CONVENTIONS, Dialect, outcome, sessions
from mcpobs.lake.dialects.meanings import FAILED_RESULT, MEANT, REPORTED, SENT_SESSION, STATUS_CODE, TRANSPORT
from mcpobs.lake.dialects.texts import attribute

_SUBJECT = attribute("jwt.sub")
_HTTP_STATUS = MEANT["http_status"]
_OUTCOME = outcome(f"when {FAILED_RESULT} then 'tool_error'", status_code=STATUS_CODE, reported=REPORTED)

AGENTGATEWAY: Final = Dialect(
    name="agentgateway",
    source="agentgateway/agentgateway: crates/agentgateway/src/telemetry/trc.rs (scope, kind), log.rs (attributes)",
    # one span per HTTP request; without MCP it has no method
    matches="scope_name = 'agentgateway' and kind = 2 "
    'and (at_method is not null or contains(attributes, \'"mcp.method":"\'))',
    columns={
        **CONVENTIONS,
        **MEANT,
        "principal": _SUBJECT,  # of a token that the gateway verified
        **sessions(_SUBJECT, **SENT_SESSION),
        "transport": f"coalesce({TRANSPORT}, 'http')",
        "outcome": f"case when {_HTTP_STATUS} >= 500 then 'server_error' when {_HTTP_STATUS} >= 400 "
        f"then 'protocol_error' else {_OUTCOME} end",
    },
)

_USER = f"nullif({attribute('user.email')}, 'anonymous')"

CONTEXTFORGE: Final = Dialect(
    name="contextforge",
    source="mcp-contextforge-gateway 1.0.7: mcpgateway/observability.py (scope), services/tool_service.py, "
    "prompt_service.py, resource_service.py, cache/session_registry.py",
    # its other spans are steps of these or HTTP
    matches="scope_name = 'mcp-gateway' and name in ('tool.invoke', 'tool.list', 'prompt.render', 'prompt.list', "
    "'resource.read', 'resource.list', 'mcp.initialize')",
    columns={
        **CONVENTIONS,
        "kind": "'server'",
        "method": "case name when 'tool.invoke' then 'tools/call' when 'tool.list' then 'tools/list' "
        "when 'prompt.render' then 'prompts/get' when 'prompt.list' then 'prompts/list' "
        "when 'resource.read' then 'resources/read' when 'resource.list' then 'resources/list' else 'initialize' end",
        "tool": f"case when name = 'tool.invoke' then {attribute('tool.name')} end",
        "prompt": f"case when name = 'prompt.render' then {attribute('prompt.id')} end",
        "resource_uri": f"nullif(regexp_extract({attribute('resource.uri')}, '^[A-Za-z][A-Za-z0-9+.-]*:'), '')[:-2]",
        "protocol_version": attribute("mcp.protocol_version"),
        "principal": _USER,
        **sessions(_USER),
        # a tool that returned isError and an unreachable tool look the same
        "outcome": f"case when {attribute('success')} = 'false' then 'tool_error' "
        "when status = 2 then 'server_error' else 'ok' end",
    },
)
