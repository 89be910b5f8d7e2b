"""Finds the shipped .sql files by their names. Reads each file once, when it is asked for."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from mcpobs.errors import UsageError, nearest
from mcpobs.queries.header import Query, parse
from mcpobs.resources import shipped

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
    """A report by its name. Raises UsageError, naming the nearest, where there is none."""
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
    """A query or view by the name of its file."""
    folder = shipped("queries")
    path = folder / f"{name}.sql"
    if not path.is_file():
        path = folder / "views" / f"{name}.sql"
    return _read(path)


def views_below(reads: tuple[str, ...]) -> list[Query]:
    """The views that a query needs, each after those which it reads itself."""
    found: dict[str, Query] = {}
    for name in reads:
        if name != SOURCE and name not in found:
            view = load(name)
            found.update((below.name, below) for below in views_below(view.reads))
            found[name] = view
    return list(found.values())


def _read(path: Path) -> Query:
    query = parse(path.stem, path.read_text(encoding="utf-8"))
    if (query.kind == "view") != (path.parent.name == "views"):
        raise UsageError(f"{path.name}: a view lies in queries/views, and nothing else does")
    return query
