"""The links of a page: from a session, tool or trace to the place that shows it. Anchors hold no name of a peer."""

from __future__ import annotations

from collections.abc import Sequence

from mcpobs.queries.header import Column
from mcpobs.queries.run import Row

Key = tuple[str, str | None, str]
"""A kind (session, tool, trace, span), the server if it is known, and the name."""

_TOOLS = frozenset({"tool", "main_tool", "pattern", "target", "item", "before"})
"""Columns whose text may be the name of a tool; the first is that of the row's own."""

_OWN = frozenset({"session_id", "tool", "trace_id", "span_id"})
"""Columns that name what their row is about."""


def anchor(section: str, row: int) -> str:
    """The id of a row of a section's table."""
    return f"{section}-{row}"


class Links:
    """Where each name is shown, the best place first."""

    def __init__(self) -> None:
        self._places: dict[Key, list[tuple[str, str]]] = {}
        self._used: set[str] = set()

    def add(self, key: Key, section: str, place: str) -> None:
        """A place that shows the name; the first of each section is kept."""
        places = self._places.setdefault(key, [])
        if all(section != other for other, _ in places):
            places.append((section, place))
            self._used.add(place)

    def add_rows(self, section: str, columns: Sequence[Column], rows: Sequence[Row]) -> None:
        """The rows of a table that are about a session, a tool or a trace."""
        for number, row in enumerate(rows):
            for place, column in enumerate(columns):
                if column.name in _OWN:
                    for key in keys(columns, row, place):
                        self.add(key, section, anchor(section, number))

    def id_of(self, place: str) -> str | None:
        """The place itself if anything may lead to it."""
        return place if place in self._used else None

    def leading(self, columns: Sequence[Column], row: Row, place: int, section: str) -> str | None:
        """The address that a cell leads to: the best one outside of its own section."""
        return next(
            (f"#{found}" for key in keys(columns, row, place) for _, found in self.elsewhere(key, section)), None
        )

    def elsewhere(self, key: Key, section: str) -> list[tuple[str, str]]:
        """The other sections that show the name, each with its first place."""
        return [(other, place) for other, place in self._places.get(key, ()) if other != section]


def keys(columns: Sequence[Column], row: Row, place: int) -> list[Key]:
    """The names by which a cell's text is looked up: the tool of the row's server, then a tool of any."""
    name, value = columns[place].name, row[place]
    kind = _kind(name)
    if kind is None or not isinstance(value, str):
        return []
    found: list[Key] = [(kind, None, value)]
    server = next((row[n] for n, column in enumerate(columns) if column.name == "service_name"), None)
    return [(kind, str(server), value), *found] if kind == "tool" and server is not None else found


def _kind(column: str) -> str | None:
    for kind in ("session", "trace", "span"):
        if column.endswith(f"{kind}_id"):
            return kind
    return "tool" if column in _TOOLS else None
