"""Counts a call once where several layers report it: a proxy, a front in the process, FastMCP, the SDK, a gateway.

Which spans are set aside is what `queries/views/set_aside.sql` and `phantoms.sql` say. Most lakes have nothing of the
kind, and who reported what is known without reading a span; so the view `operations` looks at each span's ids only
where there is something to be set aside. It holds for one reading of the lake: spans that come later are judged later.
"""

from __future__ import annotations

from collections.abc import Iterable

from mcpobs.lake.engine import Connection, EngineError
from mcpobs.lake.reader import REPORTERS
from mcpobs.lake.schema import REPORTED
from mcpobs.queries import catalog
from mcpobs.queries.header import Query

COUNTED = "operations"
"""The view in which each operation is once."""

_SCOPES_WITH_PHANTOMS = {"mcp-python-sdk", "fastmcp"}
_FOUND = {"set_aside": "found_set_aside", "phantoms": "found_phantoms"}

_SAME = (
    "told.trace_id = {0}.trace_id and told.span_id = {0}.span_id and told.kind = {0}.kind "
    "and coalesce(told.service_name, '') = {0}.service_key "
    "and coalesce(told.sent_start_unix_nano, told.start_unix_nano) = {0}.sent_unix_nano"
)
"""A span's identity, as schema.KEY has it."""

LOOKING = frozenset(_FOUND)
"""The views that look for spans to be set aside."""


def count_once(connection: Connection, *, only_calls: bool) -> bool:
    """Takes spans that are set aside out of the connection's view `operations`, which is there already; whether there
    are any.

    `only_calls` says that no more than tool calls are asked for: a phantom is none, and to find them takes a sort.
    """
    wanted = [name for name in _needed(connection) if not (only_calls and name == "phantoms")]
    found = [table for name in wanted if (table := _find(connection, name)) is not None]
    if found:
        joins = " ".join(f"anti join {table} on {_SAME.format(table)}" for table in found)
        connection.execute(
            f"create or replace temp view {COUNTED} as select * from (\n{catalog.view(COUNTED).sql}) as told {joins}"
        )
    return bool(found)


def empty_where_unneeded(connection: Connection, views: Iterable[str]) -> None:
    """Makes those of the views that look for spans to be set aside empty where there can be none: they take long."""
    for name in (LOOKING & set(views)) - set(_needed(connection)):
        connection.execute(
            f"create or replace temp view {name} as select * from (\n{catalog.view(name).sql}) where false"
        )


def _needed(connection: Connection) -> list[str]:
    """Which of those views can have rows, by who reported anything at all."""
    reporters = _reporters(connection)
    layers = {(scope, front) if scope == "mcpobs" else scope for _, scope, front in reporters}
    needed = ["set_aside"] if len(layers) > 1 else []
    if _SCOPES_WITH_PHANTOMS & {scope for _, scope, _ in reporters}:
        needed.append("phantoms")
    return needed


def forget(connection: Connection) -> None:
    """What was found is no longer so: the relation `spans` has changed."""
    for table in _FOUND.values():
        connection.execute(f"drop table if exists {table}")


def _reporters(connection: Connection) -> list[tuple[str | None, ...]]:
    columns = "service_name, scope_name, front"
    try:
        return connection.execute(f"select distinct {columns} from {REPORTERS}").fetchall()
    except EngineError:  # a connection that no reader of the lake opened
        return connection.execute(f"select distinct {columns} from spans where {REPORTED}").fetchall()


def _find(connection: Connection, name: str) -> str | None:
    """A table of what a view says is to be set aside, made once for all queries on the connection; None where it is
    empty."""
    table = _FOUND[name]
    query: Query = catalog.view(name)
    for view in catalog.views_below(query.reads):
        connection.execute(f"create or replace temp view {view.name} as\n{view.sql}")
    connection.execute(f"create temp table if not exists {table} as\n{query.sql}")
    return table if connection.execute(f"select 1 from {table} limit 1").fetchall() else None
