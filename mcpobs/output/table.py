"""A Result as a table for a terminal. No rich: its import costs 60-80 ms, a fourth of a cold report."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

from mcpobs.output import bars, units
from mcpobs.output.fit import PROSE_CELLS, Kind, fit, lines_of
from mcpobs.output.text import shortened, width
from mcpobs.queries.header import Column
from mcpobs.reports.chart import Chart

GAP = "  "
CUT = "…"
"""Heading that stands for the columns without room on the terminal."""

NARROW = 72
"""With fewer cells a bar would take the room of text."""

_SELDOM = frozenset(
    (
        *("model", "incomplete", "unrecorded", "llm_calls", "llm_tokens", "llm_microusd", "unanswered", "longest_ms"),
        *("error_message", "error_template"),
    )
)
"""Columns that a table for people omits if all their cells are empty or zero."""

_BOUNDS = "lower_bounds"
"""The column that names those of its row whose values are lower bounds; a table marks these instead."""

_NUMBERED = re.compile(r"(.+)_[0-9]+")
_BOLD, _PLAIN = "\x1b[1m", "\x1b[0m"

Rows = Sequence[Sequence[object]]


@dataclass(frozen=True, slots=True)
class Group:
    """Columns that share a cell; mostly one."""

    heading: str
    right: bool
    indexes: list[int]


def groups(columns: Sequence[Column], rows: Rows) -> list[Group]:
    """The columns that have a cell of their own: the server is left out if there is only one, and numbered columns
    (`before_5 … before_1`) share one cell."""
    found: list[Group] = []
    for index, column in enumerate(columns):
        if column.name == "service_name" and len({row[index] for row in rows}) < 2:
            continue
        if column.name == _BOUNDS:
            continue
        if column.name in _SELDOM and not any(row[index] for row in rows):
            continue
        numbered = _NUMBERED.fullmatch(column.name)
        heading = units.title(numbered[1] if numbered else column.name)
        if numbered and found and found[-1].heading == heading:
            found[-1].indexes.append(index)
            continue
        found.append(Group(heading, not numbered and units.is_number(column.name, column.type), [index]))
    return found


def cells(columns: Sequence[Column], rows: Rows) -> tuple[list[str], list[bool], list[list[str]]]:
    """Headings, which columns are flush right, and the cells of each row."""
    found = groups(columns, rows)
    body = [[_cell(columns, row, group.indexes) for group in found] for row in rows]
    return [group.heading for group in found], [group.right for group in found], body


def render(
    columns: Sequence[Column],
    rows: Rows,
    *,
    cells_wide: int | None = None,
    colour: bool = False,
    chart: Chart | None = None,
) -> str:
    """The table, at most `cells_wide` wide if possible: a long id loses its middle, a long text goes on in the next
    line, and a last `…` stands for columns without room. With a chart, a bar stands behind its value."""
    headings, right, body = cells(columns, rows)
    if not headings:
        return ""
    widths = [max(width(text) for text in column) for column in zip(headings, *body, strict=True)]
    kinds = [_kind(*column) for column in zip(headings, right, zip(*body, strict=True), strict=True)] if body else []
    drawn = _bar_place(columns, headings, body, chart, cells_wide)
    if drawn is not None and cells_wide is not None:  # a bar takes the room of no column
        whole = fit([*widths, bars.LEAST], [*map(width, headings), 0], [*kinds, "bar"], cells_wide, len(GAP))
        drawn = drawn if whole.all_shown else None
    if drawn is not None:
        headings.insert(drawn, "")
        right.insert(drawn, False)
        widths.insert(drawn, bars.MOST)
        kinds.insert(drawn, "bar")
        body = [[*row[:drawn], "", *row[drawn:]] for row in body]
    if cells_wide is not None and body:
        fitted = fit(widths, [width(heading) for heading in headings], kinds, cells_wide, len(GAP))
        widths = fitted.widths
        shown = len(widths)
        headings, right, kinds = headings[:shown], right[:shown], kinds[:shown]
        body = [row[:shown] for row in body]
        if not fitted.all_shown:
            headings, widths, right, kinds = [*headings, CUT], [*widths, 1], [*right, False], [*kinds, "whole"]
            body = [[*row, ""] for row in body]
    if chart is not None and drawn is not None and drawn < len(widths) and kinds[drawn] == "bar":
        place = [column.name for column in columns].index(chart.value)
        for line, share in zip(body, bars.shares([row[place] for row in rows]), strict=True):
            line[drawn] = bars.bar(share, widths[drawn])
    top = _line([shortened(text, room) for text, room in zip(headings, widths, strict=True)], widths, right)
    lines = [f"{_BOLD}{top}{_PLAIN}" if colour else top]
    for row in body:
        high = [lines_of(text, room, kind) for text, room, kind in zip(row, widths, kinds, strict=True)]
        lines += [_line(list(part), widths, right) for part in zip_longest(*high, fillvalue="")]
    return "\n".join(lines) + "\n"


def _bar_place(
    columns: Sequence[Column], headings: Sequence[str], body: Rows, chart: Chart | None, cells_wide: int | None
) -> int | None:
    """The place of the bar: behind the chart's value. None if there is nothing to compare, or no room."""
    if chart is None or len(body) < 2 or (cells_wide is not None and cells_wide < NARROW):
        return None
    heading = units.title(chart.value)
    known = any(column.name == chart.value for column in columns)
    return headings.index(heading) + 1 if known and heading in headings else None


def _kind(heading: str, right: bool, texts: Sequence[str]) -> Kind:
    if right or heading.endswith(units.TIME):
        return "whole"
    return "prose" if any(" " in text and width(text) > PROSE_CELLS for text in texts) else "id"


def _cell(columns: Sequence[Column], row: Sequence[object], indexes: list[int]) -> str:
    if len(indexes) == 1:
        text = units.shown(columns[indexes[0]].name, row[indexes[0]])
        return f"≥ {text}" if columns[indexes[0]].name in _bounds(columns, row) else text
    found = [units.shown(columns[i].name, row[i]) for i in indexes if row[i] is not None]
    return " → ".join(found) or units.NOTHING


def _bounds(columns: Sequence[Column], row: Sequence[object]) -> list[str]:
    """The names of the columns whose values in this row are lower bounds."""
    found = next((row[place] for place, column in enumerate(columns) if column.name == _BOUNDS), None)
    return str(found).split() if found else []


def _line(texts: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    return GAP.join(
        _padded(text, room, flush_right) for text, room, flush_right in zip(texts, widths, right, strict=True)
    ).rstrip()


def _padded(text: str, room: int, flush_right: bool) -> str:
    blank = " " * (room - width(text))
    return blank + text if flush_right else text + blank
