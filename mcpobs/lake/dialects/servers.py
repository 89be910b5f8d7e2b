"""Owns the dialects of servers and SDKs that report their own MCP spans, including mcpobs."""

from __future__ import annotations

from typing import Final

from mcpobs.lake.dialects.dialect import CONVENTIONS, Dialect, outcome
from mcpobs.lake.dialects.meanings import (
    FAILED_RESULT,
    IS_AGENTS_VIEW,
    MEANT,
    METHODS,
    NAMED_PROMPT,
    NAMED_TOOL,
    REPORTED,
    STATUS_CODE,
)
from mcpobs.lake.dialects.texts import attribute
from mcpobs.semconv import EXECUTE_TOOL, SCOPE_NAME

MCPOBS: Final = Dialect(
    name="mcpobs",
    source="mcpobs/semconv.py; our own export",
    matches=f"scope_name = '{SCOPE_NAME}'",
    columns={"trace_flags": "at_trace_flags"},
)

FASTMCP: Final = Dialect(
    name="fastmcp",
    source="PrefectHQ/fastmcp 4.1.2: server/telemetry.py, client/telemetry.py; between #2886 and #3889 "
    "tool and prompt are in the name alone",
    # a span of kind internal is the server forwarding the call to a mounted one: the same call again
    matches="scope_name = 'fastmcp' and kind in (2, 3) and at_method is not null",
    columns={
        **CONVENTIONS,
        # error.type is the exception's class: for an unknown tool or prompt, and for invalid arguments
        "outcome": outcome(
            "when at_error_type in ('NotFoundError', 'DisabledError') then 'protocol_error' "
            "when at_error_type = 'ValidationError' and at_method = 'tools/call' then 'tool_error'"
        ),
        "tool": f"coalesce(at_tool, case when at_method = 'tools/call' then {NAMED_TOOL} end)",
        "prompt": f"coalesce(at_prompt, case when at_method = 'prompts/get' then {NAMED_PROMPT} end)",
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

_STEPS: Final = "'fastmcp', 'mcp-python-sdk', 'mcp-gateway', 'logfire.mcp', 'mcpobs'"
"""Scopes whose spans of kind internal are steps of a call that another span has."""

_DRAFT_NAMES: Final = (
    "mcp.t",  # tool, transport
    "mcp.re",  # request, result, resource.type
    "mcp.prompt",
    "mcp.protocol_",
    "mcp.server",
    "mcp.client.",
    "mcp.is_error",
    "mcp.success",
    "mcp.status",
    "mcp.err",
    "mcp.conversation",
    "rpc.jsonrpc",
    "rpc.request",
    "traceloop.",
    "fastmcp.session",
    "gen_ai.tool.call.",  # arguments, result
    "http.status",
)
_NEEDS_NAMES: Final = " or ".join(f"contains(attributes, '{name}')" for name in _DRAFT_NAMES) + (
    " or (at_mcp_session_id is null and at_conversation_id is null and contains(attributes, 'session'))"
)
_NO_METHOD: Final = (
    "(contains(attributes, 'mcp') or contains(attributes, 'jsonrpc')) and (regexp_matches(attributes, "
    f"""'"(?:mcp[.]method|mcp[.]tool|mcp[.]tool[.]name)":"') or (regexp_matches(attributes, """
    f"""'"gen_ai[.]operation[.]name":"{EXECUTE_TOOL}"') and regexp_matches(attributes, """
    f"""'"(?:litellm[.])?mcp[.][^"]')) or (regexp_matches(attributes, """
    f"""'"rpc[.]system(?:[.]name)?":"(?:mcp|jsonrpc)"') and regexp_matches(attributes, """
    f"""'"rpc[.]method":"(?:{METHODS})"')))"""
)

DRAFTS: Final = Dialect(
    name="drafts",
    source="open-telemetry/semantic-conventions#2083 and its drafts; the names around PrefectHQ/fastmcp#2886, "
    "envoyproxy/ai-gateway#2405, getsentry/sentry-conventions#420; csharp-sdk; Traceloop before 0.48",
    # Reads JSON, so only spans that need it; the many spans without MCP are searched twice.
    matches="case when at_method is null then kind in (1, 2, 3) and coalesce(scope_name, '') not in "
    f"('mcp-gateway', 'logfire.mcp', 'opentelemetry.instrumentation.mcp.instrumentation', 'mcpobs') "
    f"and not (kind = 1 and coalesce(scope_name, '') in ({_STEPS})) and {_NO_METHOD} "
    f"when kind in (0, 1) then coalesce(scope_name, '') not in ({_STEPS}, "
    "'opentelemetry.instrumentation.mcp.instrumentation') "
    f"else kind in (2, 3) and ((at_tool is null and at_method = 'tools/call') or {_NEEDS_NAMES}) end",
    columns={
        **CONVENTIONS,
        **MEANT,
        # of kind internal there may be a better span in the trace: queries/views/reported.sql ranks it last
        "kind": f"case when kind = 3 or ({IS_AGENTS_VIEW} and kind <> 2) then 'client' else 'server' end",
        "outcome": outcome(f"when {FAILED_RESULT} then 'tool_error'", status_code=STATUS_CODE, reported=REPORTED),
    },
)

ANY: Final = Dialect(
    name="conventions",
    source="open-telemetry/semantic-conventions-genai: docs/gen-ai/mcp.md, at semconv.GENAI_COMMIT",
    matches="kind in (2, 3) and at_method is not null",
    columns=CONVENTIONS,
)
