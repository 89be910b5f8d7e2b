"""The picture of a live view: what fits on the screen, and which lines are new. Pure; knows no terminal."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mcpobs.output.text import taken, width

MARGIN = 2
"""Cells left of a line for the mark of a new line."""

MARK = "•"
_DRAWN = re.compile("[▁▂▃▄▅▆▇█▏▎▍▌▋▊▉]|\x1b\\[[0-9]*m")


def picture(
    head: Sequence[str], body: Sequence[str], before: Sequence[str] | None, columns: int, lines: int
) -> list[str]:
    """The lines of a screen of so many cells: the head, and below it what there is room for of the body, with a mark
    at each line that was not there `before`. Nothing is marked in the first picture."""
    known = None if before is None else {_words(line) for line in before}
    shown = [_marked(line, known) for line in body]
    room = max(0, lines - len(head))
    if len(shown) > room:
        left_out = len(shown) - room + 1
        shown = [*shown[: max(0, room - 1)], f"{' ' * MARGIN}… {left_out:,} more lines"][:room]
    return [_cut(line, columns) for line in [*head, *shown][:lines]]


def change(now: int, before: int | None, noun: str) -> str:
    """A number, and by how much it is another than before: `1,204 calls (+12)`."""
    counted = f"{now:,} {noun}"
    return counted if before is None or now == before else f"{counted} ({now - before:+,})"


def _marked(line: str, known: set[str] | None) -> str:
    words = _words(line)
    mark = MARK if known is not None and words and words not in known else " "
    return f"{mark:<{MARGIN}}{line}"


def _cut(line: str, columns: int) -> str:
    """The line in at most so many cells. One in bold is a table's heading, which fits."""
    if "\x1b" in line or width(line) <= columns:
        return line
    return taken(line, max(0, columns - 1)) + "…"


def _words(line: str) -> str:
    """The words of a line without bars and spaces, which change with the neighbouring lines."""
    return " ".join(_DRAWN.sub("", line).split())
