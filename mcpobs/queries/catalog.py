"""Finds the shipped .sql files by their names. Reads each file once, when it is asked for."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from mcpobs.errors import UsageError, nearest
from mcpobs.lake.schema import TYPES
from mcpobs.queries.header import Column, Query, parse
from mcpobs.resources import shipped
from mcpobs.semconv import COLUMNS

SOURCE = "spans"
"""The relation below all views: one row a span, every column of the lake."""


def names() -> list[str]:
    """Every query that is no view."""
    return sorted(path.stem for path in shipped("queries").glob("*.sql"))


def views() -> list[str]:
    return sorted(path.stem for path in (shipped("queries") / "views").glob("*.sql"))


def reports() -> list[Query]:
    """The queries that have a name on the command line."""
    return [query for query in map(load, names()) if query.kind == "report"]


def report(name: str) -> Query:
    """A report by its name. Raises UsageError, naming the nearest, if there is none."""
    if name in names():
        query = load(name)
        if query.kind == "report":
            return query
    known = [query.name for query in reports()]
    close = nearest(name, known)
    meant = f"did you mean `mcpobs report {close}`? " if close else ""
    raise UsageError(f"no report is called {name!r}", f"{meant}the reports are {', '.join(known)}")


@cache
def load(name: str) -> Query:
    """A query by the name of its file."""
    return _read(shipped("queries") / f"{name}.sql", is_view=False)


@cache
def view(name: str) -> Query:
    """A view by the name of its file; a report may have the same."""
    return _read(shipped("queries") / "views" / f"{name}.sql", is_view=True)


def views_below(reads: tuple[str, ...]) -> list[Query]:
    """The views that a query needs, each after those which it reads itself."""
    found: dict[str, Query] = {}
    for name in reads:
        if name != SOURCE and name not in found:
            wanted = view(name)
            found.update((below.name, below) for below in views_below(wanted.reads))
            found[name] = wanted
    return list(found.values())


def columns_of(relation: str) -> tuple[Column, ...]:
    """The columns of a view, or of the spans as semconv.py declares them."""
    if relation != SOURCE:
        return view(relation).columns
    return tuple(Column(c.column, TYPES[c.column].lower(), c.meaning) for c in COLUMNS if c.column is not None)


def _read(path: Path, *, is_view: bool) -> Query:
    query = parse(path.stem, path.read_text(encoding="utf-8"), columns_of)
    if (query.kind == "view") != is_view:
        raise UsageError(f"{path.name}: a view lies in queries/views, and nothing else does", "move it")
    return query
