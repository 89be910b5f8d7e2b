"""A piece: texts that are scanned together, like the strings of one result. Does no I/O."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from mcpobs.detect.strings import MOST_VALUES, strings

MOST: Final = 128 << 10
"""Characters of a piece. The scanners allocate about thirty times as much memory."""
OVERLAP: Final = 1 << 10
"""Characters that a window of a long text shares with the one before, so that no match is cut in two."""
Step = str | int
_PLAIN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,39}")


@dataclass(frozen=True, slots=True)
class Window:
    """A text, or a part of a long one. `start` counts the characters before it, `line` is the number of its first line
    in a text file, and `fresh` the first character that no earlier window had."""

    text: str
    path: tuple[Step, ...] | None = None
    is_key: bool = False
    start: int = 0
    fresh: int = 0
    line: int | None = None

    @property
    def key(self) -> str | None:
        """The nearest member name above the text."""
        if self.path is None or self.is_key:
            return None
        return next((step for step in reversed(self.path) if isinstance(step, str)), None)


@dataclass(frozen=True, slots=True)
class Piece:
    """Windows that are scanned together. `place` names their line of the source, or their field of a lake."""

    source: str
    windows: tuple[Window, ...]
    place: str = ""


def of_value(source: str, value: object, place: str = "") -> Iterator[Piece]:
    """Yields the pieces of a JSON value: every string and every key, long ones in windows."""
    return _grouped(source, place, _windows(value))


def _windows(value: object) -> Iterator[Window]:
    for path, text, is_key in _texts(value):
        yield from split(text, path, is_key)


def _texts(value: object) -> Iterator[tuple[tuple[Step, ...], str, bool]]:
    """Yields every string and key with its path. A value with more items than `strings` visits is divided into halves,
    down to a single member. `start` is the index of the first item of a half."""
    to_do: list[tuple[object, tuple[Step, ...], int]] = [(value, (), 0)]
    while to_do:
        one, path, start = to_do.pop()
        if not isinstance(one, dict | list) or not _is_large(one):
            for found in strings(one, numbers=True):
                below = found.path
                if start and below:
                    below = (int(below[0]) + start, *below[1:])
                yield (*path, *below), found.text, found.is_key
        elif len(one) > 1:
            half = len(one) // 2
            if isinstance(one, list):
                to_do += [(one[half:], path, start + half), (one[:half], path, start)]
            else:
                items = list(one.items())
                to_do += [(dict(items[half:]), path, 0), (dict(items[:half]), path, 0)]
        elif isinstance(one, list):
            to_do.append((one[0], (*path, start), 0))
        else:
            ((name, inner),) = one.items()
            yield (*path, name), name, True
            to_do.append((inner, (*path, name), 0))


def _is_large(value: object) -> bool:
    """Whether a value has more values than `strings` visits."""
    to_do, seen = [value], 0
    while to_do and seen <= MOST_VALUES // 2:  # a member counts twice there, as a key and as a value
        one = to_do.pop()
        seen += 1
        if isinstance(one, dict):
            to_do += one.values()
        elif isinstance(one, list):
            to_do += one
    return bool(to_do) or seen > MOST_VALUES // 2


def split(text: str, path: tuple[Step, ...] | None = None, is_key: bool = False) -> Iterator[Window]:
    """Yields the windows of one text; one for a text of usual length."""
    start = 0
    while True:
        fresh = OVERLAP if start else 0
        part = text[start : start + MOST]
        yield Window(part, path, is_key, start, fresh)
        start += MOST - OVERLAP
        if start + OVERLAP >= len(text):
            return


def _grouped(source: str, place: str, windows: Iterable[Window]) -> Iterator[Piece]:
    group: list[Window] = []
    size = 0
    for window in windows:
        if group and size + len(window.text) > MOST:
            yield Piece(source, tuple(group), place)
            group, size = [], 0
        group.append(window)
        size += len(window.text)
    if group:
        yield Piece(source, tuple(group), place)


def shown(path: tuple[Step, ...], is_key: bool = False, secret: Collection[str] = ()) -> str:
    """Returns a path as text: `$.rows[3].note`. Hides a key that is itself a finding or not a plain word, because it
    may hold matched text."""
    parts = ["$"]
    for place, step in enumerate(path):
        hidden = is_key and place == len(path) - 1
        if isinstance(step, int):
            parts.append(f"[{step}]")
        elif hidden or step in secret or not _PLAIN.fullmatch(step):
            parts.append(".{key}" if hidden else ".{…}")
        else:
            parts.append(f".{step}")
    return "".join(parts)
