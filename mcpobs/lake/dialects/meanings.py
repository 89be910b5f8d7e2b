"""Owns the names under which instrumentations send one fact: meaning to attributes, in order of precedence.

The conventions' name comes first, then names of drafts, then names of vendors. The decoder gives the conventions' names
columns (`at_*`); all others are texts of `dialects/texts.py`. A name that a span lacks is null, so the first name that
the span has decides, whatever the order of its attributes. Names no dialect.
"""

from __future__ import annotations

from typing import Final

from mcpobs.lake.dialects.texts import attribute

ATTRIBUTES: Final[dict[str, tuple[str, ...]]] = {
    "method": ("mcp.method",),
    "tool": ("mcp.tool.name", "mcp.tool", "tool.name", "traceloop.entity.name"),
    "prompt": ("mcp.prompt.name", "mcp.prompt"),
    "request_id": ("mcp.request.id", "rpc.jsonrpc.request_id"),
    "protocol_version": ("mcp.protocol_version",),
    "transport": ("mcp.transport", "mcp.transport.type"),
    "status_code": ("rpc.jsonrpc.error_code",),
    "server_name": ("mcp.server.name", "fastmcp.server.name"),
    "client_name": ("mcp.client.name",),
    "client_version": ("mcp.client.version",),
}
"""Column to the attributes that mean it after the conventions' own name."""

IS_ERROR: Final = ("mcp.tool.result.is_error", "mcp.result.is_error", "mcp.is_error")

NAMED_TOOL: Final = (
    "nullif(coalesce("
    "nullif(regexp_extract(name, '^(?:MCP (?:request: |send ))?(?:tools/call|execute_tool|tool) (.+)$', 1), ''), "
    "regexp_extract(name, '^(.+)[.]tool$', 1)), '')"
)
"""Tool in a span's name, if no attribute has it."""

METHODS: Final = (
    "initialize|ping|server/discover|tools/(?:call|list)|prompts/(?:get|list)|completion/complete|logging/setLevel|"
    "resources/(?:read|list|templates/list|subscribe|unsubscribe)|subscriptions/listen|tasks/[a-z]+|"
    "sampling/createMessage|elicitation/create|roots/list|notifications/[A-Za-z_/]+"
)
"""Methods of MCP as a regular expression; `rpc.method` of other systems has other names."""


def meaning(column: str) -> str:
    """Returns the expression of a column by all names that mean it."""
    return f"coalesce({', '.join((f'at_{column}', *map(attribute, ATTRIBUTES[column])))})"


_SYSTEM: Final = f"coalesce({attribute('rpc.system')}, {attribute('rpc.system.name')})"
_RPC_METHOD: Final = (
    f"case when {_SYSTEM} in ('mcp', 'jsonrpc') and regexp_full_match({attribute('rpc.method')}, '{METHODS}') "
    f"then {attribute('rpc.method')} end"
)
_RESOURCE_TYPE: Final = attribute("mcp.resource.type")
_SENT_METHOD: Final = f"coalesce({meaning('method')}, {_RPC_METHOD})"

METHOD: Final = (
    f"coalesce({_SENT_METHOD}, case when {attribute('mcp.tool.name')} is not null or {attribute('mcp.tool')} "
    "is not null then 'tools/call' end)"
)
"""The method; a span that names an MCP tool and no method is a tool call."""

TOOL: Final = (
    f"case when coalesce({_SENT_METHOD}, 'tools/call') = 'tools/call' then coalesce({meaning('tool')}, "
    f"case when {_RESOURCE_TYPE} = 'tool' then at_resource_uri end, {NAMED_TOOL}) else at_tool end"
)
RESOURCE_URI: Final = (
    f"case when coalesce({_RESOURCE_TYPE}, '') not in ('tool', 'prompt') "
    "then nullif(regexp_extract(at_resource_uri, '^[A-Za-z][A-Za-z0-9+.-]*'), '') end"
)
TRANSPORT: Final = (
    "coalesce(at_transport, "
    f"case coalesce({', '.join(map(attribute, ATTRIBUTES['transport']))}) when 'stdio' then 'stdio' "
    "when 'sse' then 'sse' when 'http' then 'http' when 'streamable-http' then 'http' "
    "when 'streamable_http' then 'http' end, "
    "case at_network_transport when 'pipe' then 'stdio' when 'tcp' then 'http' when 'quic' then 'http' end)"
)
FAILED_RESULT: Final = f"coalesce({', '.join(map(attribute, IS_ERROR))}) = 'true'"
"""The tool's result has isError."""

MEANT: Final[dict[str, str]] = {
    **{column: meaning(column) for column in ATTRIBUTES},
    "method": METHOD,
    "tool": TOOL,
    "resource_uri": RESOURCE_URI,
    "transport": TRANSPORT,
}
"""Column to expression, for spans whose attributes have draft or vendor names."""
