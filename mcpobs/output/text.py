"""Fits texts into the cells of a terminal. `terminal` makes them safe first."""

from __future__ import annotations

import unicodedata
from textwrap import fill

from mcpobs.terminal import printable, printable_lines

__all__ = ["printable", "printable_lines", "shortened", "taken", "width", "wrapped"]


def width(text: str) -> int:
    """How many cells of a terminal a printable text takes."""
    if text.isascii():
        return len(text)
    return sum(_cells(char) for char in text)


def _cells(char: str) -> int:
    if unicodedata.combining(char) or unicodedata.category(char) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in ("W", "F") else 1


def shortened(text: str, cells: int) -> str:
    """The text in at most so many cells: the middle gives way to `…`, because both ends of an id differ."""
    if width(text) <= cells:
        return text
    if cells <= 1:
        return "…"[:cells]
    head, tail = cells // 2, cells - cells // 2 - 1
    return taken(text, head) + "…" + taken(text[::-1], tail)[::-1]


def wrapped(line: str, cells: int | None, indent: str) -> str:
    """The line in lines of so many cells, at least 40, with further ones indented; unchanged if `cells` is None."""
    if cells is None or len(line) <= cells:
        return line
    return fill(line, max(cells, 40), subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def taken(text: str, cells: int) -> str:
    """The beginning of the text, in at most so many cells."""
    used = 0
    for index, char in enumerate(text):
        used += _cells(char)
        if used > cells:
            return text[:index]
    return text
