"""The cells of a table: which columns have one, in which order, and under which heading. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from mcpobs.errors import UsageError, nearest
from mcpobs.output import units
from mcpobs.queries.header import Column, stem

Rows = Sequence[Sequence[object]]

_SELDOM = frozenset(
    (
        *("model", "incomplete", "unrecorded", "llm_calls", "llm_tokens", "llm_microusd", "unanswered", "longest_ms"),
        *("error_message", "error_template"),
    )
)
"""Columns that a table for people omits if all their cells are empty or zero."""

_BOUNDS = "lower_bounds"
"""The column that names those of its row whose values are lower bounds; a table marks these instead."""

_ARROW = " → "


@dataclass(frozen=True, slots=True)
class Group:
    """Columns that share a cell; mostly one. `name` is the column's, or the common stem of numbered ones."""

    name: str
    heading: str
    right: bool
    indexes: list[int]
    own: bool = False
    """A column of a user's SQL."""


def groups(columns: Sequence[Column], rows: Rows, keep: Sequence[str] = ()) -> list[Group]:
    """The columns that have a cell of their own: the server is left out if there is only one, and numbered columns
    (`before_5 … before_1`) share one cell. Columns named in `keep` are there in any case."""
    found: list[Group] = []
    for index, column in enumerate(columns):
        name = stem(column.name)
        if name == _BOUNDS or (name not in keep and _says_nothing(column.name, index, rows)):
            continue
        is_numbered = name != column.name
        if is_numbered and found and found[-1].name == name:
            found[-1].indexes.append(index)
            continue
        right = not is_numbered and units.is_number(column.name, column.type)
        found.append(Group(name, units.title(name), right, [index]))
    return found


def _says_nothing(name: str, index: int, rows: Rows) -> bool:
    if name == "service_name":
        return len({row[index] for row in rows}) < 2
    return name in _SELDOM and not any(row[index] for row in rows)


def as_written(columns: Sequence[Column]) -> list[Group]:
    """Every column under its own name: those of a user's SQL."""
    return [
        Group(column.name, units.as_written(column.name), units.is_number(column.name, column.type), [index], True)
        for index, column in enumerate(columns)
    ]


def answering_first(found: Sequence[Group], answers: Sequence[str]) -> tuple[list[Group], int]:
    """The groups with those that answer the question first, and how many those are; at least one."""
    places = {name: place for place, name in enumerate(answers)}
    ordered = sorted(found, key=lambda group: places.get(group.name, len(places)))  # stable
    return ordered, max(1, sum(group.name in places for group in found))


def chosen(columns: Sequence[Column], names: Sequence[str]) -> tuple[str, ...]:
    """The columns that --columns names, by their names or their headings. Raises UsageError, naming the nearest, if
    there is none of a name."""
    known = list(dict.fromkeys(stem(column.name) for column in columns))
    spelled = {_plain(text): name for name in known for text in (units.title(name), name)}
    spelled |= {_plain(column.name): stem(column.name) for column in columns}
    return tuple(dict.fromkeys(spelled.get(_plain(name)) or _unknown(name, known) for name in names))


def _plain(text: str) -> str:
    return text.strip().lower().replace(" ", "_")


def _unknown(name: str, known: Sequence[str]) -> str:
    plain = _plain(name)
    close = next((one for one in known if plain and one.startswith(plain)), None) or nearest(plain, known)
    meant = f"did you mean {close}? " if close else ""
    raise UsageError(f"no column is called {name!r}", f"{meant}the columns are {', '.join(map(units.spelled, known))}")


def cell(columns: Sequence[Column], row: Sequence[object], group: Group) -> str:
    """The text of a group's cell."""
    if group.own:
        return units.shown_as_written(group.name, row[group.indexes[0]])
    if len(group.indexes) == 1:
        name = columns[group.indexes[0]].name
        text = units.shown(name, row[group.indexes[0]])
        return f"≥ {text}" if name in _lower_bounds(columns, row) else text
    found = [units.shown(columns[i].name, row[i]) for i in group.indexes if row[i] is not None]
    runs = [(text, len(list(same))) for text, same in groupby(found)]
    return _ARROW.join(text if times == 1 else f"{text} × {times}" for text, times in runs) or units.NOTHING


def _lower_bounds(columns: Sequence[Column], row: Sequence[object]) -> list[str]:
    """The names of the columns whose values in this row are lower bounds."""
    found = next((row[place] for place, column in enumerate(columns) if column.name == _BOUNDS), None)
    return str(found).split() if found else []


def cells(columns: Sequence[Column], rows: Rows, *, own: bool = False) -> tuple[list[str], list[bool], list[list[str]]]:
    """Headings, which columns are flush right, and the cells of each row. `own`: those of a user's SQL."""
    found = as_written(columns) if own else groups(columns, rows)
    body = [[cell(columns, row, group) for group in found] for row in rows]
    return [group.heading for group in found], [group.right for group in found], body
