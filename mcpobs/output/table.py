"""A Result as a table for a terminal. No rich: its import costs 60-80 ms, a fourth of a cold report."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from mcpobs.output import bars, units
from mcpobs.output.colours import bold, painted
from mcpobs.output.fit import Measure, fit, lines_of, measure
from mcpobs.output.groups import Group, Rows, answering_first, as_written, cell, cells, groups
from mcpobs.output.text import taken, width
from mcpobs.queries.header import Column
from mcpobs.reports.chart import Chart

__all__ = ["Rows", "Shown", "cells", "groups", "render"]

GAP = "  "
Margins = Callable[[Sequence[str]], list[str]]
"""Makes the margin of each row, all equally wide, from the names of the columns that are shown."""
NARROW = 72
"""With fewer cells a bar would take the room of text."""


@dataclass(frozen=True, slots=True)
class Shown:
    """Which columns of a result a table shows. `answers` come first and are never left out; of None all are such, of
    none only the first. `chosen` are the only ones. `own`: they are those of a user's SQL, named as written. `more`
    says how to see those that are left out; nothing is said without it."""

    answers: tuple[str, ...] | None = None
    chosen: tuple[str, ...] = ()
    own: bool = False
    more: str = ""


def render(
    columns: Sequence[Column],
    rows: Rows,
    *,
    cells_wide: int | None = None,
    colour: bool = False,
    chart: Chart | None = None,
    shown: Shown | None = None,
    margins: Margins | None = None,
) -> str:
    """The table, at most `cells_wide` wide: long texts go on in the next line, and columns that do not answer the
    question are left out if there is no room. A row has a line for each column if not even the others have room.
    With a chart, a bar stands behind its value. `margins` stand left of it all, and the width does not count them."""
    found, must = _columns(columns, rows, shown or Shown())
    if not found:
        return ""
    body = [[cell(columns, row, group) for group in found] for row in rows]
    texts = [[line[place] for line in body] for place in range(len(found))]
    measures = [
        measure(group.heading, text, group.right, units.is_id(group.name))
        for group, text in zip(found, texts, strict=True)
    ]
    if cells_wide is None:
        widths: list[int] | None = [
            max(one.natural, width(group.heading)) for group, one in zip(found, measures, strict=True)
        ]
    else:
        widths = fit(measures, must, cells_wide, len(GAP))
    if widths is None:
        kept = found[:must]
        left = _left(margins, columns, kept, body)
        text = _records(kept, body, left, cells_wide or 0, colour)
    else:
        kept = found[: len(widths)]
        bar = _bars(columns, rows, kept, measures, widths, chart, cells_wide)
        left = _left(margins, columns, kept, body)
        text = _grid(kept, body, left, widths, bar, colour)
    hidden = [units.spelled(group.name) for group in found[len(kept) :]]
    return text + _left_out(hidden, (shown or Shown()).more, cells_wide, _blank(left))


def _left(
    margins: Margins | None, columns: Sequence[Column], kept: Sequence[Group], body: Sequence[object]
) -> list[str]:
    """The margin of each row; without margins empty."""
    if margins is None:
        return [""] * len(body)
    return margins([columns[index].name for group in kept for index in group.indexes])


def _blank(left: Sequence[str]) -> str:
    """The margin of a line that is no row's first."""
    return " " * max(map(len, left), default=0)


def _columns(columns: Sequence[Column], rows: Rows, shown: Shown) -> tuple[list[Group], int]:
    """The groups in their order, and how many of them are there in any width."""
    if shown.own:
        return as_written(columns), 1
    found = groups(columns, rows, shown.chosen)
    if shown.chosen:
        found, must = answering_first(found, shown.chosen)
        return found[:must], must
    if shown.answers is None:
        return found, len(found)
    return answering_first(found, shown.answers)


@dataclass(frozen=True, slots=True)
class _Bars:
    """A column of bars: its place, its width, and the share of each row."""

    place: int
    cells: int
    shares: list[float | None]


def _bars(
    columns: Sequence[Column],
    rows: Rows,
    found: Sequence[Group],
    measures: Sequence[Measure],
    widths: list[int],
    chart: Chart | None,
    cells_wide: int | None,
) -> _Bars | None:
    """The bars behind the chart's value. None if there is nothing to compare, or no room that no column could use."""
    if chart is None or len(rows) < 2 or (cells_wide is not None and cells_wide < NARROW):
        return None
    place = next((n for n, group in enumerate(found) if group.name == chart.value), None)
    room = bars.MOST
    if cells_wide is not None:
        room = min(room, cells_wide - sum(widths) - len(GAP) * len(widths))
    if place is None or room < bars.LEAST:
        return None
    values = [row[found[place].indexes[0]] for row in rows]
    return _Bars(place + 1, room, bars.shares(values))


def _grid(
    found: Sequence[Group],
    body: Sequence[Sequence[str]],
    left: Sequence[str],
    widths: list[int],
    drawn: _Bars | None,
    colour: bool,
) -> str:
    blank = _blank(left)
    right = [group.right for group in found]
    heads = [_heading(group.heading, room) for group, room in zip(found, widths, strict=True)]
    high = max(map(len, heads))
    heads = [[""] * (high - len(head)) + head for head in heads]  # the last line of each stands above its column
    lines = []
    for part in zip(*heads, strict=True):
        line = _line(_with_bar(list(part), widths, right, drawn, ""))
        lines.append(blank + (bold(line) if colour else line))
    for number, row in enumerate(body):
        wrapped = [
            lines_of(text, room, "id" if units.is_id(group.name) else "text")
            for text, room, group in zip(row, widths, found, strict=False)
        ]
        bar = bars.bar(drawn.shares[number], drawn.cells) if drawn is not None else ""
        for place, parts in enumerate(zip_longest(*wrapped, fillvalue="")):
            padded = _with_bar(list(parts), widths, right, drawn, bar if place == 0 else "")
            margin = blank if place else left[number]
            lines.append(margin + _line(_painted(found, row, padded, drawn) if colour else padded))
    return "\n".join(lines) + "\n"


def _painted(found: Sequence[Group], row: Sequence[str], padded: list[str], drawn: _Bars | None) -> list[str]:
    """The cells of a line in their colours."""
    named = [(group.name, text) for group, text in zip(found, row, strict=False)]
    if drawn is not None:
        named.insert(drawn.place, ("", ""))
    padded[-1] = padded[-1].rstrip()
    return [painted(name, whole, text) for (name, whole), text in zip(named, padded, strict=True)]


def _heading(text: str, room: int) -> list[str]:
    return [taken(line, room) for line in lines_of(text, room)]


def _with_bar(
    texts: list[str], widths: Sequence[int], right: Sequence[bool], drawn: _Bars | None, bar: str
) -> list[str]:
    padded = [_padded(text, room, flush) for text, room, flush in zip(texts, widths, right, strict=True)]
    if drawn is not None:
        padded.insert(drawn.place, _padded(bar, drawn.cells, False))
    return padded


def _records(
    found: Sequence[Group], body: Sequence[Sequence[str]], left: Sequence[str], cells_wide: int, colour: bool
) -> str:
    """A line for each column of a row, and an empty line between two rows."""
    indent = min(max(width(group.heading) for group in found), max(8, cells_wide // 2))
    room = max(1, cells_wide - indent - len(GAP))
    rows = []
    for margin, row in zip(left, body, strict=True):
        lines: list[str] = []
        for group, text in zip(found, row, strict=False):
            for place, part in enumerate(lines_of(text, room, "id" if units.is_id(group.name) else "text")):
                heading = taken(group.heading, indent) if place == 0 else ""
                shown = painted(group.name, text, part) if colour else part
                start = _blank(left) if lines else margin
                lines.append(f"{start}{_padded(heading, indent, False)}{GAP}{shown}".rstrip())
        rows.append("\n".join(lines) + "\n")
    return "\n".join(rows)


def _left_out(names: Sequence[str], more: str, cells_wide: int | None, blank: str) -> str:
    """One line that names columns that are not shown, and how to see them."""
    if not names or not more or cells_wide is None:
        return ""
    noun = "column" if len(names) == 1 else "columns"
    text = f"{len(names)} more {noun} ({more})"
    listed = next(
        (f"{text}: {some}" for some in _beginnings(names) if width(text) + width(some) + 2 <= cells_wide), text
    )
    return "".join(f"{blank}{line}\n" for line in lines_of(listed, cells_wide))


def _beginnings(names: Sequence[str]) -> Iterator[str]:
    """All names, then ever fewer of them."""
    yield ", ".join(names)
    for most in range(len(names) - 1, 0, -1):
        yield ", ".join([*names[:most], "…"])


def _line(padded: Sequence[str]) -> str:
    return GAP.join(padded).rstrip()


def _padded(text: str, room: int, flush_right: bool) -> str:
    blank = " " * (room - width(text))
    return blank + text if flush_right else text + blank
