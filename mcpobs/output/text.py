"""Makes a value safe and readable in a terminal. What a peer named can never move the cursor or turn text around."""

from __future__ import annotations

import unicodedata

_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode categories that are shown as escapes: controls (so ANSI sequences too), bidi and other format
characters, surrogates, private and unassigned code points, line and paragraph separators."""


def printable(text: str) -> str:
    """The text on one line, with every character that a terminal could obey, or hide, as an escape."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escaped(char) if unicodedata.category(char) in _UNSAFE else char for char in text)


def _escaped(char: str) -> str:
    code = ord(char)
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


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
    """The text in at most so many cells: the middle gives way to `…`, for both ends of an id tell something."""
    if width(text) <= cells:
        return text
    if cells <= 1:
        return "…"[:cells]
    head, tail = cells // 2, cells - cells // 2 - 1
    return taken(text, head) + "…" + taken(text[::-1], tail)[::-1]


def taken(text: str, cells: int) -> str:
    """The beginning of the text, in at most so many cells."""
    used = 0
    for index, char in enumerate(text):
        used += _cells(char)
        if used > cells:
            return text[:index]
    return text
