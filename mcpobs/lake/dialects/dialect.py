"""Defines a dialect, and the parts shared by dialects that follow or nearly follow the conventions. Names no
dialect."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from mcpobs.lake.dialects.naming import conversation_name, qualified, session_digest
from mcpobs.lake.times import PLACED
from mcpobs.protocol.eras import MODERN
from mcpobs.semconv import CALLER_FAULTS, COLUMNS, REQUEST_TIMEOUT_CODE, RESOURCE_URI, TOOL_ERROR

_MODERN = f"'{MODERN}'"  # since then MCP has no session id of its own

KIND: Final = (
    "case kind when 1 then 'internal' when 2 then 'server' when 3 then 'client' when 4 then 'producer' "
    "when 5 then 'consumer' end"
)


def with_resource_uri(value: str) -> str:
    """Returns the attributes, with a resource's URI as this JSON value unless the column holds all of it."""
    members = f"coalesce(left(attributes, -1) || ',', '{{') || '\"{RESOURCE_URI}\":' || {value} || '}}'"
    return (
        "case when at_resource_uri is null or regexp_full_match(at_resource_uri, '[A-Za-z][A-Za-z0-9+.-]*') "
        f"then attributes else {members} end"
    )


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
            "resource",
            "events",
            "links",
            "trace_state",
            "scope",
            "dropped",
        )
    },
    "trace_flags": "nullif(flags & 255, 0)",
    "kind": KIND,
    "status": "case status when 1 then 'ok' when 2 then 'error' end",
    "sent_service": "md5(sent_service)",
    "error_message": "status_message",
    "pending": "null",  # a span that is sent has ended
    # the scheme of a URI; ours have no more, and a longer URI stays among the attributes
    "resource_uri": "nullif(regexp_extract(at_resource_uri, '^[A-Za-z][A-Za-z0-9+.-]*'), '')",
    **PLACED,
    "attributes": with_resource_uri("cast(to_json(at_resource_uri) as varchar)"),
}
"""Column to expression. A span with a method is an operation only if its kind is server or client."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """The spans that `matches` selects, with their columns; the first matching dialect applies. `source` publishes its
    names."""

    name: str
    source: str
    matches: str
    columns: Mapping[str, str] = field(default_factory=dict)


# The ends of class names and messages in Python, .NET, Java, Go and JavaScript, with or without a module.
_TIMEOUTS: Final = "(?i)(?:time_?d?_?out|deadline[ _]?exceeded)(?:_?(?:error|exception|expired))?$"
_CANCELLATIONS: Final = (
    "(?i)(?:cancell?ed(?:_?(?:error|exception))?|cancellation_?(?:error|exception)?|abort_?error|request_?aborted)$"
)
_TOOL_ERRORS: Final = "(?:^|[.:/])Tool(?:Execution|Call)?(?:Error|Exception)$"


def outcome(*cases: str, status_code: str = "at_status_code", reported: str = "null") -> str:
    """Returns the outcome of an operation by error.type, rpc.response.status_code and status, as the conventions define
    them. `reported` is an outcome by other attributes, used if these do not name one."""
    faults = ", ".join(f"'{code}'" for code in sorted(CALLER_FAULTS))
    code = f"coalesce({status_code}, at_error_type)"
    return (
        f"case when at_error_type = '{TOOL_ERROR}' then 'tool_error' {' '.join(cases)} "
        f"when at_error_type is not null and regexp_matches(at_error_type, '{_TOOL_ERRORS}') then 'tool_error' "
        f"when {code} in ({faults}) then 'protocol_error' "
        f"when {code} = '{REQUEST_TIMEOUT_CODE}' "
        f"or (at_error_type is not null and regexp_matches(at_error_type, '{_TIMEOUTS}')) then 'timeout' "
        f"when at_error_type is not null and regexp_matches(at_error_type, '{_CANCELLATIONS}') then 'cancelled' "
        f"else coalesce({reported}, "
        f"case when {code} is not null or status = 2 then 'server_error' else 'ok' end) end"
    )


def sessions(
    principal: str = "at_principal",
    tenant: str = "at_tenant",
    *,
    session: str = "at_mcp_session_id",
    conversation: str = "at_conversation_id",
    version: str = "at_protocol_version",
) -> dict[str, str]:
    """Returns the columns of the session and its caller, by expressions for the verified caller, its tenant, and the
    sent ids of the protocol's session and of the conversation."""
    # mcp.session.id is the protocol's session only if the protocol version has sessions: FastMCP sets a new one for
    # each modern request. It is a bearer secret, so the session's name is its digest; the attribute stays as sent.
    session = f"case when coalesce({version}, '') < {_MODERN} then {session_digest(session)} end"
    conversation = conversation_name(f"nullif({conversation}, '')")
    name = f"coalesce({session}, {conversation}, trace_id)"
    return {
        "session_id": qualified(name, principal, tenant),
        "session_source": f"case when {session} is not null then 'protocol_session' "
        f"when {conversation} is not null then 'conversation' else 'trace' end",
        # without a verified caller a conversation is a name that the caller chose
        "session_confidence": f"case when {session} is not null then 'high' "
        f"when {conversation} is null then 'low' when {principal} is null then 'medium' else 'high' end",
        "session_candidates": "'{' || concat_ws(',', "
        f"'\"protocol_session\":' || cast(to_json({session}) as varchar), "
        f"'\"conversation\":' || cast(to_json({conversation}) as varchar), "
        "'\"trace\":\"' || trace_id || '\"') || '}'",
        "enforcement_key": f"'principal:' || {principal}",
        "enforcement_source": f"case when {principal} is not null then 'principal' end",
    }


_DIGITS: Final = 32


def content(arguments: str, result: str) -> dict[str, str]:
    """Returns the columns of sizes and digests, by expressions for the arguments and the result as texts. These digests
    have no key: whoever reads them can read the text in `attributes` too, and `collect --redact` removes both."""
    sent = {"args": arguments, "result": result}
    return {
        **{f"{part}_bytes": f"coalesce(at_{part}_bytes, strlen({text}))" for part, text in sent.items()},
        **{
            f"{part}_digest": f"coalesce(at_{part}_digest, left(sha256('mcpobs:{part}:' || {text}), {_DIGITS}))"
            for part, text in sent.items()
        },
    }


CONVENTIONS: Final[dict[str, str]] = {
    "outcome": outcome(),
    "transport": "coalesce(at_transport, case at_network_transport when 'pipe' then 'stdio' when 'tcp' then 'http' "
    "when 'quic' then 'http' end)",
    **sessions(),
}
