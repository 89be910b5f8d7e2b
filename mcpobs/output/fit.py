"""Fits the columns of a table into a terminal's cells, and drops those without room. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from mcpobs.output import bars
from mcpobs.output.text import shortened, taken, width

Kind = Literal["whole", "id", "prose", "bar"]
"""`whole` is never cut (numbers, times); an `id` may lose its middle; `prose` goes on in the next line; a `bar` is
drawn in what room there is."""

ID_CELLS = 16  # both ends of an id still differ from those of its neighbours
PROSE_CELLS = 36
MOST_LINES = 6


@dataclass(frozen=True, slots=True)
class Fit:
    """Widths of the columns that are shown, from the left. `all_shown` is false where some had no room."""

    widths: list[int]
    all_shown: bool


def fit(natural: Sequence[int], headings: Sequence[int], kinds: Sequence[Kind], cells: int, gap: int) -> Fit:
    """Gives every column what it needs to be read and drops those on the right that are left without, then shares
    out what is over: ids first, then prose, then bars. The first column stays in any case."""
    least = [max(h, _least(n, kind, cells)) for n, h, kind in zip(natural, headings, kinds, strict=True)]
    shown = len(least)
    while shown > 1 and _line(least[:shown], gap) + (0 if shown == len(least) else gap + 1) > cells:
        shown -= 1
    if shown < len(least) and kinds[shown] == "prose":  # in narrow lines rather than not at all
        narrow = [*least[:shown], max(headings[shown], min(natural[shown], ID_CELLS))]
        if _line(narrow, gap) + (0 if shown + 1 == len(least) else gap + 1) <= cells:
            least, shown = [*narrow, *least[shown + 1 :]], shown + 1
    all_shown = shown == len(least)
    widths = least[:shown]
    spare = cells - _line(widths, gap) - (0 if all_shown else gap + 1)
    for kind in ("id", "prose", "bar"):
        for index in range(shown):
            if kinds[index] == kind and spare > 0:
                more = min(spare, natural[index] - widths[index])
                widths[index] += max(0, more)
                spare -= max(0, more)
    if spare < 0:  # one column, and a terminal that is narrower still
        widths[0] = max(1, widths[0] + spare)
    return Fit(widths, all_shown)


def lines_of(text: str, cells: int, kind: Kind) -> list[str]:
    """A cell's text in lines of at most so many cells."""
    if kind != "prose" or width(text) <= cells:
        return [shortened(text, cells)]
    lines: list[str] = [""]
    for word in text.split(" "):
        rest = word
        while rest:
            joined = f"{lines[-1]} {rest}" if lines[-1] else rest
            if width(joined) <= cells:
                lines[-1], rest = joined, ""
            elif lines[-1]:
                lines.append("")
            else:
                part = taken(rest, cells) or rest[:1]
                lines[-1], rest = part, rest[len(part) :]
    if len(lines) > MOST_LINES:
        last = taken(lines[MOST_LINES - 1], max(1, cells - 2)).rstrip()
        lines = [*lines[: MOST_LINES - 1], f"{last} …"]
    return lines


def _least(natural: int, kind: Kind, cells: int) -> int:
    if kind == "whole":
        return natural
    if kind == "bar":
        return bars.LEAST
    return min(natural, ID_CELLS if kind == "id" else max(ID_CELLS, min(PROSE_CELLS, cells // 3)))


def _line(widths: Sequence[int], gap: int) -> int:
    return sum(widths) + gap * (len(widths) - 1)
