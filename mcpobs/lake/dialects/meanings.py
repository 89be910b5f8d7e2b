"""Owns the names under which instrumentations send one fact: meaning to attributes, in order of precedence.

The conventions' name comes first, then names of drafts, then names of vendors. The decoder gives the conventions' names
columns (`at_*`); all others are texts of `dialects/texts.py`. A name that a span lacks is null, so the first name that
the span has decides, whatever the order of its attributes. Names no dialect.
"""

from __future__ import annotations

from typing import Final

from mcpobs.lake.dialects.dialect import content, sessions
from mcpobs.lake.dialects.texts import attribute
from mcpobs.lake.otlp.columns import RAW
from mcpobs.semconv import EXECUTE_TOOL, GEN_AI_OPERATION

ATTRIBUTES: Final[dict[str, tuple[str, ...]]] = {
    "method": ("mcp.method",),
    "tool": ("mcp.tool.name", "mcp.tool", "tool.name", "traceloop.entity.name"),
    "prompt": ("mcp.prompt.name", "mcp.prompt"),
    "request_id": ("mcp.request.id", "rpc.jsonrpc.request_id", "rpc.request.id"),
    "protocol_version": ("mcp.protocol_version",),
    "transport": ("mcp.transport", "mcp.transport.type", "mcp.server.transport"),
    "status_code": ("rpc.jsonrpc.error_code", "mcp.error.code", "mcp.error_code"),
    "http_status": ("http.status", "http.status_code"),
    "server_name": (
        "mcp.server.name",
        "fastmcp.server.name",
        "litellm.mcp.server.name",
        "mcp.server",
        "mcp.target",
    ),
    "server_version": ("mcp.server.version",),
    "client_name": ("mcp.client.name",),
    "client_version": ("mcp.client.version",),
    "mcp_session_id": ("fastmcp.session.id", "mcp.session_id"),
    "conversation_id": (
        "mcp.conversation.id",
        "traceloop.association.properties.session_id",
        "langfuse.session.id",
        "session.id",
    ),
    "arguments": (
        "gen_ai.tool.call.arguments",
        "mcp.tool.arguments",
        "mcp.tool.args",
        "mcp.tool.input",
        "mcp.request.arguments",
        "mcp.request.argument",
        "traceloop.entity.input",
    ),
    "result": (
        "gen_ai.tool.call.result",
        "mcp.tool.result",
        "mcp.tool.result.content",
        "mcp.tool.output",
        "mcp.response.value",
        "traceloop.entity.output",
    ),
    "is_error": ("mcp.tool.result.is_error", "mcp.result.is_error", "mcp.tool.is_error", "mcp.is_error"),
    "success": ("mcp.tool.result.success", "mcp.tool.success", "mcp.success"),
    "status": ("mcp.tool.result.status", "mcp.tool.status", "mcp.status"),
}
"""Meaning to the attributes that have it. A meaning with a column of the decoder (`at_*`) has the conventions' own name
before these."""

STATUSES: Final[dict[str, tuple[str, ...]]] = {
    "tool_error": ("error", "failed", "failure", "fail"),
    "timeout": ("timeout", "timed_out"),
    "cancelled": ("cancelled", "canceled"),
    "denied": ("denied", "refused", "blocked"),
}
"""Outcome to the values of the meaning `status`; any other value says nothing."""

NAMED_TOOL: Final = (
    "nullif(coalesce("
    "nullif(regexp_extract(name, '^(?:MCP (?:request: |send ))?(?:tools/call|execute_tool|tool) (.+)$', 1), ''), "
    "regexp_extract(name, '^(.+)[.]tool$', 1)), '')"
)
"""Tool in a span's name, if no attribute has it."""

NAMED_PROMPT: Final = "nullif(regexp_extract(name, '^(?:MCP (?:request: |send ))?(?:prompts/get|prompt) (.+)$', 1), '')"

METHODS: Final = (
    "initialize|ping|server/discover|tools/(?:call|list)|prompts/(?:get|list)|completion/complete|logging/setLevel|"
    "resources/(?:read|list|templates/list|subscribe|unsubscribe)|subscriptions/listen|tasks/[a-z]+|"
    "sampling/createMessage|elicitation/create|roots/list|notifications/[A-Za-z_/]+"
)
"""Methods of MCP as a regular expression; `rpc.method` of other systems has other names."""


def sent(meaning: str) -> tuple[str, ...]:
    """Returns the texts that have a meaning, in order of precedence."""
    own = (f"at_{meaning}",) if f"at_{meaning}" in RAW else ()
    return (*own, *map(attribute, ATTRIBUTES[meaning]))


def meaning(name: str) -> str:
    """Returns the expression of a meaning by all names that have it."""
    return f"coalesce({', '.join(sent(name))})"


_SYSTEM: Final = f"coalesce({attribute('rpc.system')}, {attribute('rpc.system.name')})"
_RPC_METHOD: Final = (
    f"case when {_SYSTEM} in ('mcp', 'jsonrpc') and regexp_full_match({attribute('rpc.method')}, '{METHODS}') "
    f"then {attribute('rpc.method')} end"
)
_RESOURCE_TYPE: Final = attribute("mcp.resource.type")
_RESOURCE_NAME: Final = f"coalesce({attribute('mcp.resource.name')}, at_resource_uri)"
_SENT_METHOD: Final = f"coalesce({meaning('method')}, {_RPC_METHOD})"
_NAMES_TOOL: Final = f"{attribute('mcp.tool.name')} is not null or {attribute('mcp.tool')} is not null"
_EXECUTES: Final = f"coalesce({attribute(GEN_AI_OPERATION)}, '') = '{EXECUTE_TOOL}'"

METHOD: Final = f"coalesce({_SENT_METHOD}, case when {_NAMES_TOOL} or {_EXECUTES} then 'tools/call' end)"
"""The method; a span that names an MCP tool and no method is a tool call, and so is `execute_tool` with an attribute of
MCP, for which the dialect asks."""

IS_AGENTS_VIEW: Final = f"({_SENT_METHOD} is null and {_EXECUTES} and not ({_NAMES_TOOL}))"
"""The agent or gateway that calls the tool says so, not the server."""

TOOL: Final = (
    f"case when coalesce({_SENT_METHOD}, 'tools/call') = 'tools/call' then coalesce({meaning('tool')}, "
    f"case when {_RESOURCE_TYPE} = 'tool' then {_RESOURCE_NAME} end, {NAMED_TOOL}) else at_tool end"
)
PROMPT: Final = (
    f"coalesce({meaning('prompt')}, case when {_RESOURCE_TYPE} = 'prompt' then {_RESOURCE_NAME} "
    f"when {_SENT_METHOD} = 'prompts/get' then {NAMED_PROMPT} end)"
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
STATUS_CODE: Final = meaning("status_code")
FAILED_RESULT: Final = f"({meaning('is_error')} = 'true' or {meaning('success')} = 'false')"
"""The tool's result has isError."""

_CASES: Final = " ".join(
    f"when lower({meaning('status')}) in {values} then '{outcome}'" for outcome, values in STATUSES.items()
)
REPORTED: Final = f"case {_CASES} end"
"""The outcome that an attribute names."""

SENT_SESSION: Final = {
    "session": f"nullif({meaning('mcp_session_id')}, '')",
    "conversation": meaning("conversation_id"),
    "version": meaning("protocol_version"),
}
"""Keywords of `dialect.sessions`."""

# Sentry has an attribute for each argument, with a value that is a JSON text.
_ARGUMENT: Final = r""""mcp[.]request[.]argument[.](?:[^"\\]|\\.)*":(?:"(?:[^"\\]|\\.)*"|[^,"}]*)"""
_ARGUMENT_MEMBERS: Final = (
    "case when contains(attributes, 'mcp.request.argument.') then "
    f"nullif(array_to_string(list_sort(regexp_extract_all(attributes, '{_ARGUMENT}')), ','), '') end"
)
_COLUMNS: Final = ("request_id", "protocol_version", "server_name", "server_version", "client_name", "client_version")

MEANT: Final[dict[str, str]] = {
    **{column: meaning(column) for column in _COLUMNS},
    "method": METHOD,
    "tool": TOOL,
    "prompt": PROMPT,
    "resource_uri": RESOURCE_URI,
    "transport": TRANSPORT,
    "status_code": STATUS_CODE,
    "http_status": f"coalesce(at_http_status, try_cast(coalesce({', '.join(sent('http_status')[1:])}) as smallint))",
    **sessions(**SENT_SESSION),
    **content(f"coalesce({meaning('arguments')}, {_ARGUMENT_MEMBERS})", meaning("result")),
}
"""Column to expression, for spans whose attributes have draft or vendor names."""
