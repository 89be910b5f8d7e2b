"""Finds a report by its name. A report is a .sql file, a class of its own, or both."""

from __future__ import annotations

from importlib import import_module

from mcpobs.queries import catalog
from mcpobs.reports.kinds import KINDS
from mcpobs.reports.report import Report


def find(name: str) -> Report:
    """A report. Raises UsageError, naming the nearest, if there is none."""
    own = KINDS.get(name)
    kind: type[Report] = Report if own is None else getattr(import_module(f"mcpobs.reports.kinds.{name}"), own)
    return kind(kind.query_of(name))


def listed() -> list[Report]:
    """The reports that have a .sql file, in the order in which a digest answers them."""
    queries = catalog.reports()
    placed = [query for query in queries if query.topic is not None]
    placed.sort(key=lambda query: query.topic.place if query.topic is not None else 0)
    return [find(query.name) for query in (*placed, *(query for query in queries if query.topic is None))]
