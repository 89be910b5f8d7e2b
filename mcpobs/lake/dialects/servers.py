"""Owns the dialects of servers and SDKs that report their own MCP spans, including mcpobs."""

from __future__ import annotations

from typing import Final

from mcpobs.lake.dialects.dialect import CONVENTIONS, Dialect, outcome
from mcpobs.lake.dialects.texts import attribute
from mcpobs.semconv import SCOPE_NAME

MCPOBS: Final = Dialect(
    name="mcpobs",
    source="mcpobs/semconv.py; our own export",
    matches=f"scope_name = '{SCOPE_NAME}'",
    columns={"trace_flags": "at_trace_flags"},
)

FASTMCP: Final = Dialect(
    name="fastmcp",
    source="PrefectHQ/fastmcp 4.1.2: server/telemetry.py, client/telemetry.py",
    # a span of kind internal is the server forwarding the call to a mounted one: the same call again
    matches="scope_name = 'fastmcp' and kind in (2, 3) and at_method is not null",
    columns={
        **CONVENTIONS,
        # error.type is the exception's class: for an unknown tool or prompt, and for invalid arguments
        "outcome": outcome(
            "when at_error_type in ('NotFoundError', 'DisabledError') then 'protocol_error' "
            "when at_error_type = 'ValidationError' and at_method = 'tools/call' then 'tool_error'"
        ),
        "server_name": attribute("fastmcp.server.name"),
    },
)

PYTHON_SDK: Final = Dialect(
    name="mcp-python-sdk",
    source="modelcontextprotocol/python-sdk 2.3.0: mcp/server/_otel.py, mcp/shared/jsonrpc_dispatcher.py",
    matches="scope_name = 'mcp-python-sdk' and kind in (2, 3) and at_method is not null",
    columns={
        **CONVENTIONS,
        # the client's span has its target only in the name: `MCP send tools/call search`
        "tool": "coalesce(at_tool, case when kind = 3 and starts_with(name, 'MCP send tools/call ') "
        "then substr(name, 21) end)",
        "prompt": "coalesce(at_prompt, case when kind = 3 and starts_with(name, 'MCP send prompts/get ') "
        "then substr(name, 22) end)",
    },
)

ANY: Final = Dialect(
    name="conventions",
    source="open-telemetry/semantic-conventions-genai: docs/gen-ai/mcp.md, at semconv.GENAI_COMMIT",
    matches="kind in (2, 3) and at_method is not null",
    columns=CONVENTIONS,
)
