"""A Result as a table for a terminal. No rich: its import costs 60-80 ms, a fourth of a cold report."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mcpobs.output import units
from mcpobs.output.text import shortened, width
from mcpobs.queries.header import Column

GAP = "  "
CUT = "…"
"""Heading that stands for the columns which a terminal has no room for."""

_NUMBERED = re.compile(r"(.+)_[0-9]+")
_NARROWEST = 8
_BOLD, _PLAIN = "\x1b[1m", "\x1b[0m"

Rows = Sequence[Sequence[object]]


def cells(columns: Sequence[Column], rows: Rows) -> tuple[list[str], list[bool], list[list[str]]]:
    """Headings, which columns are flush right, and the cells of each row.

    The server is left out where there is but one, and numbered columns (`before_5 … before_1`) share one cell.
    """
    headings: list[str] = []
    right: list[bool] = []
    parts: list[list[int]] = []
    for index, column in enumerate(columns):
        if column.name == "service_name" and len({row[index] for row in rows}) < 2:
            continue
        group = _NUMBERED.fullmatch(column.name)
        heading = units.title(group[1] if group else column.name)
        if group and headings and headings[-1] == heading:
            parts[-1].append(index)
            continue
        headings.append(heading)
        right.append(not group and units.is_number(column.name, column.type))
        parts.append([index])
    body = [[_cell(columns, row, indexes) for indexes in parts] for row in rows]
    return headings, right, body


def render(columns: Sequence[Column], rows: Rows, *, cells_wide: int | None = None, colour: bool = False) -> str:
    """The table, a line a row, at most `cells_wide` wide where that can be had: long texts lose their middle."""
    headings, right, body = cells(columns, rows)
    if not headings:
        return ""
    widths = [max(width(text) for text in column) for column in zip(headings, *body, strict=True)]
    if cells_wide is not None:
        _fit(widths, headings, right, cells_wide)
    lines = [_line(headings, widths, right)]
    if colour:
        lines[0] = f"{_BOLD}{lines[0]}{_PLAIN}"
    shown = len(widths) - 1 if headings[-1] == CUT else len(widths)
    lines += [_line(row[:shown], widths[:shown], right[:shown]) for row in body]
    return "\n".join(lines) + "\n"


def _cell(columns: Sequence[Column], row: Sequence[object], indexes: list[int]) -> str:
    if len(indexes) == 1:
        return units.shown(columns[indexes[0]].name, row[indexes[0]])
    found = [units.shown(columns[i].name, row[i]) for i in indexes if row[i] is not None]
    return " → ".join(found) or units.NOTHING


def _fit(widths: list[int], headings: list[str], right: list[bool], cells_wide: int) -> None:
    """Makes the line fit: takes from the widest text column, cell by cell, while it is not narrow, for numbers stay
    whole; then leaves out columns from the right, and a last `…` says so."""
    floors = [max(_NARROWEST, width(heading)) for heading in headings]
    excess = sum(widths) + len(GAP) * (len(widths) - 1) - cells_wide
    while excess > 0:
        room = [(w, i) for i, w in enumerate(widths) if not right[i] and not _is_time(headings[i]) and w > floors[i]]
        if not room:
            break
        widths[max(room)[1]] -= 1
        excess -= 1
    if excess > 0:
        _leave_out(widths, headings, right, cells_wide)


def _is_time(heading: str) -> bool:
    return heading.endswith(units.TIME)


def _leave_out(widths: list[int], headings: list[str], right: list[bool], cells_wide: int) -> None:
    """Cuts the lists behind the last column that leaves room for `…`; one column stays in any case."""
    while len(widths) > 1 and sum(widths) + len(GAP) * len(widths) + 1 > cells_wide:
        for listed in (widths, headings, right):
            listed.pop()
    headings.append(CUT)
    widths.append(1)
    right.append(False)
    if len(widths) == 2:
        widths[0] = max(1, min(widths[0], cells_wide - len(GAP) - 1))


def _line(texts: list[str], widths: list[int], right: list[bool]) -> str:
    return GAP.join(
        _padded(shortened(text, room), room, flush_right)
        for text, room, flush_right in zip(texts, widths, right, strict=True)
    ).rstrip()


def _padded(text: str, room: int, flush_right: bool) -> str:
    blank = " " * (room - width(text))
    return blank + text if flush_right else text + blank
