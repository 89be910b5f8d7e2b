"""Counts a call once if several layers report it: a proxy, a front in the process, FastMCP, the SDK, a gateway.

Which spans are set aside is defined by `queries/views/set_aside.sql` and `phantoms.sql`. Most lakes have no such span,
and who reported operations is known without reading any; so `operations` looks at each span's ids only if some span
may have to be set aside. The answer holds for one plan: spans that come later are judged later.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from mcpobs.lake.schema import REPORTED
from mcpobs.queries import catalog
from mcpobs.queries.header import Query
from mcpobs.queries.source import RELATION, Source
from mcpobs.queries.text import listed

COUNTED = "operations"
"""The view in which each operation is once."""

SET_ASIDE, PHANTOMS = "set_aside", "phantoms"
LOOKING = frozenset({SET_ASIDE, PHANTOMS})
"""The views that look for spans to be set aside."""

_SCOPES_WITH_PHANTOMS = {"mcp-python-sdk", "fastmcp"}
_IDENTITY = (
    "{0}.trace_id = counted.trace_id and {0}.span_id = counted.span_id and {0}.kind = counted.kind "
    "and {0}.service_key = coalesce(counted.service_name, '') "
    "and {0}.sent_unix_nano = coalesce(counted.sent_start_unix_nano, counted.start_unix_nano)"
)
"""A span's identity, as schema.KEY has it."""


def reporters(source: Source) -> str:
    """The select of who reported operations: service, scope and front."""
    known = source.reporters or f"select service_name, scope_name, front from {RELATION} where {REPORTED}"
    return f"select distinct service_name, scope_name, front from (\n{known}\n) as reporting"


def needed(reporting: Iterable[tuple[str | None, ...]]) -> list[str]:
    """Which of the views in LOOKING can have rows, by the service, scope and front of all reporters."""
    reporting = list(reporting)
    layers = {(scope, front) if scope == "mcpobs" else scope for _, scope, front in reporting}
    found = [SET_ASIDE] if len(layers) > 1 else []
    if _SCOPES_WITH_PHANTOMS & {scope for _, scope, _ in reporting}:
        found.append(PHANTOMS)
    return found


def without(text: str, tables: Iterable[str]) -> str:
    """The text of the view `operations` without the spans that the tables list."""
    tables = list(tables)
    joins = "\n".join(f"left join {table} on {_IDENTITY.format(table)}" for table in tables)
    left = " and ".join(f"{table}.trace_id is null" for table in tables)
    columns = ", ".join(f"counted.{column.name} as {column.name}" for column in catalog.view(COUNTED).columns)
    return f"select {columns} from (\n{text}\n) as counted\n{joins}\nwhere {left}"


def sought(name: str) -> tuple[Mapping[str, str], str]:
    """The views and the text that find the spans which one of LOOKING sets aside."""
    query = catalog.view(name)
    columns = listed(["trace_id", "span_id", "kind", "service_key", "sent_unix_nano"])
    return {view.name: view.sql for view in catalog.views_below((name,))}, f"select {columns} from {query.name}"


def only_calls(views: Mapping[str, Query], reads: Collection[str]) -> bool:
    """Whether a query asks for tool calls only. A phantom is none, and to find phantoms takes a sort."""
    return COUNTED not in reads and all(
        name == "tool_calls" or COUNTED not in view.reads for name, view in views.items()
    )
