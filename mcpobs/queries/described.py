"""The tables of SQL and the reports, with their columns, described for people. Reads no lake."""

from __future__ import annotations

from collections.abc import Sequence

from mcpobs.errors import UsageError, nearest
from mcpobs.queries import catalog
from mcpobs.queries.fence import RELATIONS
from mcpobs.queries.header import Column

TABLES = (
    Column("name", "varchar", "the name in SQL, or after `mcpobs report`"),
    Column("kind", "varchar", "table or report"),
    Column("about", "varchar", "the question that it answers"),
)
COLUMNS = (
    Column("column", "varchar", "its name in SQL, JSON, CSV and --columns"),
    Column("type", "varchar", "its type"),
    Column("meaning", "varchar", "its meaning"),
)
Rows = list[tuple[object, ...]]


def about(relation: str) -> str:
    """A sentence about a table."""
    if relation == catalog.SOURCE:
        return "Every recorded span, also those that are no MCP operation."
    return catalog.view(relation).question


def tables() -> Rows:
    """The tables of `mcpobs query`."""
    return [(name, "table", about(name)) for name in RELATIONS]


def listed() -> Rows:
    """The tables, then the reports."""
    return [*tables(), *((query.name, "report", query.question) for query in catalog.reports())]


def columns(name: str) -> Rows:
    """The columns of a table. Raises UsageError, naming the nearest, if there is none of the name."""
    if name not in RELATIONS:
        raise _unknown("table", name, RELATIONS)
    return _rows(catalog.columns_of(name))


def report_columns(name: str) -> Rows:
    """The columns of a report."""
    return _rows(catalog.report(name).columns)


def _rows(found: Sequence[Column]) -> Rows:
    return [(column.name, column.type, column.meaning) for column in found]


def _unknown(kind: str, name: str, known: Sequence[str]) -> UsageError:
    close = nearest(name, known)
    meant = f"did you mean {close}? " if close else ""
    return UsageError(f"no {kind} is called {name!r}", f"{meant}the {kind}s are {', '.join(known)}")
