"""Redacts spans for `mcpobs collect --redact`: SQL over the lake's columns, after a dialect produced them.

So a dialect still finds a tool's name in a request's text, and the text is then removed. An allow list names the values
kept; docs/redaction.md describes it for users. The column `dropped` counts the removed values.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from mcpobs import semconv
from mcpobs.lake.engine import quoted
from mcpobs.lake.schema import TYPES
from mcpobs.masking import PLAIN_PATH

_COUNTED_TOKENS = ("input", "output", "prompt", "completion", "total", "reasoning", "cache_read", "cache_creation")

ATTRIBUTES: Final[tuple[str, ...]] = (
    *(
        name.attribute
        for name in semconv.NAMES
        # the session id is a secret, and its digest is the session's name
        if name.attribute is not None
        and name.column is None
        and name.attribute not in (semconv.MCP_SESSION_ID, semconv.URL_PATH, semconv.SERVICE_INSTANCE_ID)
    ),
    "mcp.transport",
    "rpc.system",
    "rpc.system.name",
    "rpc.service",
    "rpc.method",
    "rpc.jsonrpc.version",
    "rpc.jsonrpc.error_code",
    "rpc.grpc.status_code",
    "http.method",
    "http.status",
    "http.status_code",
    "http.request.resend_count",
    "network.protocol.name",
    "network.type",
    "client.port",
    "server.port",
    "db.system",
    "db.system.name",
    "messaging.system",
    "gen_ai.system",
    "gen_ai.provider.name",
    "gen_ai.request.model",
    "gen_ai.response.model",
    "gen_ai.output.type",
    "gen_ai.tool.type",
    "gen_ai.request.max_tokens",
    "gen_ai.request.temperature",
    "gen_ai.request.top_p",
    "gen_ai.usage.cost",
    *(f"gen_ai.usage.{tokens}_tokens" for tokens in _COUNTED_TOKENS),
    "gen_ai.usage.cache_read.input_tokens",
    "gen_ai.usage.cache_creation.input_tokens",
    "gen_ai.usage.reasoning.output_tokens",
)
"""Attributes without a column that stay: short values of the conventions that hold no content."""

RESOURCE: Final[tuple[str, ...]] = (
    "service.namespace",
    "service.version",
    "service.instance.id",
    "telemetry.sdk.name",
    "telemetry.sdk.language",
    "telemetry.sdk.version",
    "telemetry.distro.name",
    "telemetry.distro.version",
    "telemetry.auto.version",
    "deployment.environment",
    "deployment.environment.name",
    "deployment.name",
    "deployment.id",
)

MAX_VALUE: Final = 256
_LARGE_BYTES: Final = 1 << 20
_TOKEN = "[A-Za-z0-9_.:/$-]{1,128}"
_OTHER = "_OTHER"  # the conventions' value for an error.type without a name
_OURS = f"scope_name = '{semconv.SCOPE_NAME}'"


def _kept(column: str, names: Iterable[str], other: str = "") -> str:
    """Returns the members of an object to keep, each as `"name":value`: those with these names and a number, a boolean
    or a short text, because a list or an object may hold anything. `other` is a further branch."""
    value = "member[2]"
    is_kept = (
        f"(member[1] in ({', '.join(map(quoted, names))}) and left({value}, 1) not in ('[', '{{') "
        f"and length({value}) <= {MAX_VALUE})"
    )
    text = f"""'"' || member[1] || '":' || {value}"""
    return (
        f"list_filter(list_transform(list_zip({column}_names, {column}_values), "
        f"lambda member: case when {is_kept} then {text} {other} end), lambda text: text is not null)"
    )


def _object(members: str) -> str:
    return f"'{{' || nullif(array_to_string({members}, ','), '') || '}}'"


def _token(column: str) -> str:
    return f"case when {column} is null or regexp_full_match({column}, '{_TOKEN}') then {column} else '{_OTHER}' end"


_HTTP_METHOD = f"""json_extract_string({_object("kept_attributes")}, '$."{semconv.HTTP_METHOD}"')"""
_IF_PLAIN_PATH = (
    f"when member[1] = '{semconv.URL_PATH}' and length(member[2]) <= {MAX_VALUE + 2} "
    f"""and regexp_full_match(member[2], '"({PLAIN_PATH})"') then """
    """'"' || member[1] || '":' || member[2]"""
)
"""Keeps a path that `masking` does not change; it is quoted and has no escapes."""
_REMOVED = (
    "coalesce(attributes_members, len(attributes_names), 0) - coalesce(len(kept_attributes), 0) "
    "+ coalesce(resource_members, len(resource_names), 0) - coalesce(len(kept_resource), 0) "
    "+ coalesce(json_array_length(events), 0) + case when error_message is null then 0 else 1 end"
)
_ONLY_OURS = (
    "args_digest",
    "result_digest",
    "args_stable_digest",
    "result_stable_digest",
    "args_features",
    "args_shape",
    "result_shape",
    "result_form",
    "findings",
    "http_headers",
    "cost_paths",
)

_COLUMNS: Final[dict[str, str]] = {
    **{column: f"case when {_OURS} then {column} end" for column in _ONLY_OURS},
    "name": f"case when name = '{semconv.LOSS_SPAN}' then name "
    f"when method is not null then {_token('method')} || coalesce(' ' || coalesce(tool, prompt), '') "
    f"else coalesce({_HTTP_METHOD}, kind, 'span') end",
    "method": _token("method"),
    "error_type": _token("error_type"),
    "status_code": _token("status_code"),
    "error_message": "null",
    "user_agent": r"regexp_replace(user_agent, '://\S*', '://*', 'g')",
    "attributes": _object("kept_attributes"),
    "resource": _object("kept_resource"),
    "events": "null",
    "links": 'cast(to_json(from_json(links, \'[{"trace_id":"VARCHAR","span_id":"VARCHAR"}]\')) as varchar)',
    "trace_state": "null",
    "scope": """'{"version":' || cast(to_json(case when """
    f"""regexp_full_match(json_extract_string(scope, '$.version'), '{_TOKEN}') """
    """then json_extract_string(scope, '$.version') end) as varchar) || '}'""",
    "dropped": "case when removed > 0 then cast(json_merge_patch(coalesce(dropped, '{}'), "
    "json_object('redacted', removed)) as varchar) else dropped end",
}


def _parsed(column: str, names: Sequence[str]) -> str:
    """Returns select items with the names and values of an object's members. For a large object only these names,
    because DuckDB takes six times the size of a value to write it."""
    listed = ", ".join(map(quoted, names))
    paths = ", ".join(quoted(f'$."{name}"') for name in names)
    is_large = f"strlen({column}) > {_LARGE_BYTES}"
    return (
        f"case when {is_large} then [{listed}] else json_keys({column}) end as {column}_names, "
        f"case when {is_large} then json_extract({column}, [{paths}]) else json_extract({column}, '$.*') end "
        f"as {column}_values, case when {is_large} then len(json_keys({column})) end as {column}_members"
    )


def redacted(rows: str) -> str:
    """Returns a select of the lake's columns of `rows` without possible content."""
    columns = ", ".join(
        f"cast({_COLUMNS[name]} as {type_}) as {name}" if name in _COLUMNS else name for name, type_ in TYPES.items()
    )
    # Each level is computed once, and each function that reads JSON holds some ten times its text in memory.
    parsed = f"{_parsed('attributes', (*ATTRIBUTES, semconv.URL_PATH))}, {_parsed('resource', RESOURCE)}"
    kept = (
        f"{_kept('attributes', ATTRIBUTES, _IF_PLAIN_PATH)} as kept_attributes, "
        f"{_kept('resource', RESOURCE)} as kept_resource"
    )
    return (
        f"select {columns} from (select *, {_REMOVED} as removed from (select *, {kept} from "
        f"(select *, {parsed} from ({rows}))))"
    )
