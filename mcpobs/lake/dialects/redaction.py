"""What `mcpobs collect --redact` keeps of a span: SQL over the lake's own columns, after a dialect gave them.

So a tool's name that a dialect finds in a request's text is still found, and the text goes. All that stays is on a
list; docs/redaction.md tells users what that is. How many values went is counted in the column `dropped`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from mcpobs import semconv
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
_TOKEN = "[A-Za-z0-9_.:/$-]{1,128}"
_OTHER = "_OTHER"  # as the conventions call an error.type that has no name
_OURS = f"scope_name = '{semconv.SCOPE_NAME}'"
_PATH = f"""json_extract_string(attributes, '$."{semconv.URL_PATH}"')"""


def _paths(names: Iterable[str]) -> str:
    return "[" + ", ".join(f"""'$."{name}"'""" for name in names) + "]"


def _is_kept(value: str) -> str:
    """A number, a truth value or a short text: a list or an object may hold anything."""
    return f"({value} is not null and left({value}, 1) not in ('[', '{{') and length({value}) <= {MAX_VALUE})"


def _members(values: str, names: Iterable[str]) -> list[str]:
    """Of a list of the JSON values of these names, those that stay, as members of an object; null if they do not."""
    members = []
    for place, name in enumerate(names, 1):
        value = f"cast({values}[{place}] as varchar)"
        members.append(f"case when {_is_kept(value)} then '\"{name}\":' || {value} end")
    return members


def _object(members: Iterable[str]) -> str:
    return f"'{{' || nullif(concat_ws(',', {', '.join(members)}), '') || '}}'"


def _token(column: str) -> str:
    return f"case when {column} is null or regexp_full_match({column}, '{_TOKEN}') then {column} else '{_OTHER}' end"


_PLAIN_PATH = (
    f"case when regexp_full_match({_PATH}, '{PLAIN_PATH}') and length({_PATH}) <= {MAX_VALUE} "
    f"then '\"{semconv.URL_PATH}\":' || cast(to_json({_PATH}) as varchar) end"
)
_REMOVED = (
    "coalesce(len(json_keys(attributes)), 0) - coalesce(len(json_keys(kept_attributes)), 0) "
    "+ coalesce(len(json_keys(resource)), 0) - coalesce(len(json_keys(kept_resource)), 0) "
    "+ coalesce(json_array_length(events), 0) + case when error_message is null then 0 else 1 end"
)
_ONLY_OURS = ("args_features", "args_shape", "result_shape", "findings", "http_headers", "cost_paths")

_COLUMNS: Final[dict[str, str]] = {
    **{column: f"case when {_OURS} then {column} end" for column in _ONLY_OURS},
    "name": f"case when name = '{semconv.LOSS_SPAN}' then name "
    f"when method is not null then {_token('method')} || coalesce(' ' || coalesce(tool, prompt), '') "
    f"""else coalesce(json_extract_string(kept_attributes, '$."{semconv.HTTP_METHOD}"'), kind, 'span') end""",
    "method": _token("method"),
    "error_type": _token("error_type"),
    "status_code": _token("status_code"),
    "error_message": "null",
    "user_agent": r"regexp_replace(user_agent, '://\S*', '://*', 'g')",
    "attributes": "kept_attributes",
    "resource": "kept_resource",
    "events": "null",
    "links": 'cast(to_json(from_json(links, \'[{"trace_id":"VARCHAR","span_id":"VARCHAR"}]\')) as varchar)',
    "trace_state": "null",
    "scope": """'{"version":' || cast(to_json(case when """
    f"""regexp_full_match(json_extract_string(scope, '$.version'), '{_TOKEN}') """
    """then json_extract_string(scope, '$.version') end) as varchar) || '}'""",
    "dropped": f"case when {_REMOVED} > 0 then cast(json_merge_patch(coalesce(dropped, '{{}}'), "
    f"json_object('redacted', {_REMOVED})) as varchar) else dropped end",
}


def redacted(rows: str) -> str:
    """A select with the lake's columns of a select that has them, without what may be content."""
    columns = ", ".join(
        f"cast({_COLUMNS[name]} as {type_}) as {name}" if name in _COLUMNS else name for name, type_ in TYPES.items()
    )
    kept_attributes = _object([*_members("attribute_values", ATTRIBUTES), _PLAIN_PATH])
    kept_resource = _object(_members("resource_values", RESOURCE))
    return (
        f"select {columns} from (select *, {kept_attributes} as kept_attributes, {kept_resource} as kept_resource "
        f"from (select *, json_extract(attributes, {_paths(ATTRIBUTES)}) as attribute_values, "
        f"json_extract(resource, {_paths(RESOURCE)}) as resource_values from ({rows})))"
    )
