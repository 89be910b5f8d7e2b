"""What spans of others mean: for each dialect, how the lake's columns follow from a decoded OTLP span.

A dialect is a condition and SQL expressions over the columns of `lake/otlp/columns.py`. What a dialect does not name
is as in PLAIN, which takes a span for no more than a span: it keeps everything and is no operation.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

from mcpobs.lake.schema import DERIVED, TYPES
from mcpobs.semconv import CALLER_FAULTS, COLUMNS, REQUEST_TIMEOUT_CODE, RESOURCE_URI, SCOPE_NAME, TOOL_ERROR

_MODERN = "'2026-07-28'"  # since then MCP has no session id of its own

PLAIN: Final[dict[str, str]] = {
    **{name.column: f"at_{name.column}" for name in COLUMNS if name.column and name.attribute},
    **{
        name: name
        for name in (
            "trace_id",
            "span_id",
            "parent_span_id",
            "name",
            "service_name",
            "scope_name",
            "start_unix_nano",
            "resource",
            "events",
            "links",
            "trace_state",
            "scope",
            "dropped",
        )
    },
    "trace_flags": "nullif(flags & 255, 0)",
    "kind": "case kind when 1 then 'internal' when 2 then 'server' when 3 then 'client' when 4 then 'producer' "
    "when 5 then 'consumer' end",
    # an end before the start is a clock that was set back
    "duration_ns": "case when end_unix_nano > start_unix_nano then end_unix_nano - start_unix_nano else 0 end",
    "status": "case status when 1 then 'ok' when 2 then 'error' end",
    "error_message": "status_message",
    # of a URI the scheme; ours have no more, and where there is more it stays among the attributes
    "resource_uri": "nullif(regexp_extract(at_resource_uri, '^[A-Za-z][A-Za-z0-9+.-]*'), '')",
    "attributes": f"case when at_resource_uri is null or regexp_full_match(at_resource_uri, '[A-Za-z][A-Za-z0-9+.-]*') "
    f"then attributes else coalesce(left(attributes, -1) || ',', '{{') || '\"{RESOURCE_URI}\":' || "
    "cast(to_json(at_resource_uri) as varchar) || '}' end",
}
"""Column to expression. A span with a method is an operation only where its kind is server or client."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """`matches` tells its spans; the first dialect that matches counts. `source` is where its names are published."""

    name: str
    source: str
    matches: str
    columns: Mapping[str, str] = field(default_factory=dict)


def _outcome(*cases: str) -> str:
    """Outcome of an operation by error.type, rpc.response.status_code and status, as the conventions define them."""
    faults = ", ".join(f"'{code}'" for code in sorted(CALLER_FAULTS))
    return (
        f"case when at_error_type = '{TOOL_ERROR}' then 'tool_error' {' '.join(cases)} "
        f"when coalesce(at_status_code, at_error_type) in ({faults}) then 'protocol_error' "
        f"when coalesce(at_status_code, at_error_type) = '{REQUEST_TIMEOUT_CODE}' "
        "or lower(at_error_type) in ('timeout', 'timeouterror', 'timeoutexception', 'deadline_exceeded') "
        "then 'timeout' "
        "when lower(at_error_type) in ('cancelled', 'canceled', 'cancellederror', 'cancelledexception') "
        "then 'cancelled' "
        "when at_error_type is not null or at_status_code is not null or status = 2 then 'server_error' else 'ok' end"
    )


# mcp.session.id is the protocol's only where the protocol has one: FastMCP sets a new one for each modern request.
_PROTOCOL_SESSION = f"case when coalesce(at_protocol_version, '') < {_MODERN} then at_mcp_session_id end"
_CANDIDATES = (
    "'{' || concat_ws(',', "
    f"'\"protocol_session\":' || cast(to_json({_PROTOCOL_SESSION}) as varchar), "
    "'\"conversation\":' || cast(to_json(at_conversation_id) as varchar), "
    "'\"trace\":\"' || trace_id || '\"') || '}'"
)

_CONVENTIONS: Final[dict[str, str]] = {
    "outcome": _outcome(),
    "transport": "coalesce(at_transport, case at_network_transport when 'pipe' then 'stdio' when 'tcp' then 'http' "
    "when 'quic' then 'http' end)",
    "session_id": f"coalesce({_PROTOCOL_SESSION}, at_conversation_id, trace_id)",
    "session_source": f"case when {_PROTOCOL_SESSION} is not null then 'protocol_session' "
    "when at_conversation_id is not null then 'conversation' else 'trace' end",
    "session_confidence": f"case when coalesce({_PROTOCOL_SESSION}, at_conversation_id) is not null then 'high' "
    "else 'low' end",
    "session_candidates": _CANDIDATES,
    "enforcement_key": "case when at_principal is not null then 'principal:' || at_principal end",
    "enforcement_source": "case when at_principal is not null then 'principal' end",
}

DIALECTS: Final[tuple[Dialect, ...]] = (
    Dialect(
        name="mcpobs",
        source="mcpobs/semconv.py; our own export",
        matches=f"scope_name = '{SCOPE_NAME}'",
        columns={"trace_flags": "at_trace_flags"},
    ),
    Dialect(
        name="fastmcp",
        source="PrefectHQ/fastmcp 4.1.2: server/telemetry.py, client/telemetry.py",
        # a span of kind internal is the server handing the call on to a mounted one: the same call once more
        matches="scope_name = 'fastmcp' and kind in (2, 3) and at_method is not null",
        columns={
            **_CONVENTIONS,
            # error.type is the exception's class: of an unknown tool or prompt, and of arguments that do not fit
            "outcome": _outcome(
                "when at_error_type in ('NotFoundError', 'DisabledError') then 'protocol_error' "
                "when at_error_type = 'ValidationError' and at_method = 'tools/call' then 'tool_error'"
            ),
            "server_name": """json_extract_string(attributes, '$."fastmcp.server.name"')""",
        },
    ),
    Dialect(
        name="mcp-python-sdk",
        source="modelcontextprotocol/python-sdk 2.3.0: mcp/server/_otel.py, mcp/shared/jsonrpc_dispatcher.py",
        matches="scope_name = 'mcp-python-sdk' and kind in (2, 3) and at_method is not null",
        columns={
            **_CONVENTIONS,
            # the client's span has its target in the name alone: `MCP send tools/call search`
            "tool": "coalesce(at_tool, case when kind = 3 and starts_with(name, 'MCP send tools/call ') "
            "then substr(name, 21) end)",
            "prompt": "coalesce(at_prompt, case when kind = 3 and starts_with(name, 'MCP send prompts/get ') "
            "then substr(name, 22) end)",
        },
    ),
    Dialect(
        name="conventions",
        source="open-telemetry/semantic-conventions-genai: docs/gen-ai/mcp.md, at semconv.GENAI_COMMIT",
        matches="kind in (2, 3) and at_method is not null",
        columns=_CONVENTIONS,
    ),
)


PLACES: Final = range(len(DIALECTS) + 1)
"""Where a dialect stands in DIALECTS; the last is that of a span of none."""


def placed(raw: str) -> str:
    """A select that adds to a relation, of `lake/otlp/columns.py`, the place of each span's `dialect`."""
    first = " ".join(f"when {dialect.matches} then {place}" for place, dialect in enumerate(DIALECTS))
    return f"select *, case {first} else {len(DIALECTS)} end as dialect from {raw}"


def translated(raw: str, places: Collection[int] = PLACES) -> str:
    """A select that gives the lake's columns of a relation with the columns of `lake/otlp/columns.py`.

    The caller promises that all spans are of dialects at `places`. For one alone it takes two thirds of the time.
    """
    stored = {column: type_ for column, type_ in TYPES.items() if column not in DERIVED}
    columns = ", ".join(
        f"cast({_expression(column, places)} as {type_}) as {column}" for column, type_ in stored.items()
    )
    derived = ", ".join(f"cast({expression} as {TYPES[name]}) as {name}" for name, expression in DERIVED.items())
    return f"select {', '.join(TYPES)} from (select *, {derived} from (select {columns} from ({placed(raw)})))"


def _expression(column: str, places: Collection[int]) -> str:
    """A branch for each expression of a column, whatever number of dialects share it."""
    shared: dict[str, list[int]] = {}
    for place in sorted(places):
        columns = DIALECTS[place].columns if place < len(DIALECTS) else {}
        shared.setdefault(columns.get(column, PLAIN[column]), []).append(place)
    *cases, (other, _) = shared.items()
    if not cases:
        return other
    branches = (f"when {' or '.join(f'dialect = {n}' for n in of)} then {expression}" for expression, of in cases)
    return f"case {' '.join(branches)} else {other} end"
