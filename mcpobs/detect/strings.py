"""Lists the strings of a JSON value, keys included. Does no I/O, never recurses and never changes a value."""

from __future__ import annotations

from collections.abc import Generator
from typing import NamedTuple

MOST_VALUES = 200_000
"""Values visited in one document. A result of 10 MB that holds only small numbers has more; its strings past these are
not inspected."""


LEAST_DIGITS = 7
"""Fewest digits of an integer that may be a telephone or card number."""


class Text(NamedTuple):
    path: tuple[str | int, ...]
    text: str
    is_key: bool
    is_number: bool = False


def strings(value: object, numbers: bool = False) -> Generator[Text, None, bool]:
    """Yields every string and every key of a JSON value in document order, each with its path.

    With `numbers` also long integers, as texts. Returns whether the value has more than it visited. The path of a key
    ends with that key. The walk keeps a stack of its own, so that depth is bounded by memory alone.
    """
    if isinstance(value, str):
        yield Text((), value, is_key=False)
        return False
    # paths are linked pairs until a string needs one: 100,000 nested lists cost a tuple each, not a copy of each path
    stack: list[tuple[object, _Path]] = [(value, None)]
    for _ in range(MOST_VALUES):
        if not stack:
            return False
        found, path = stack.pop()
        if isinstance(found, str):
            yield Text(_unlinked(path), found, is_key=False)
        elif isinstance(found, _Key):
            yield Text(_unlinked(path), found.name, is_key=True)
        elif isinstance(found, dict):
            for name, below in reversed(found.items()):
                name = name if isinstance(name, str) else str(name)
                stack.append((below, (path, name)))
                stack.append((_Key(name), (path, name)))
        elif numbers and isinstance(found, int) and abs(found) >= 10 ** (LEAST_DIGITS - 1):
            yield Text(_unlinked(path), str(found), is_key=False, is_number=True)
        elif isinstance(found, list | tuple):
            stack.extend(
                (below, (path, place)) for place, below in zip(_down(len(found)), reversed(found), strict=True)
            )
    return bool(stack)


_Path = tuple["_Path", str | int] | None


class _Key(NamedTuple):
    name: str


def _down(length: int) -> range:
    return range(length - 1, -1, -1)


def _unlinked(path: _Path) -> tuple[str | int, ...]:
    steps: list[str | int] = []
    while path is not None:
        path, step = path
        steps.append(step)
    return tuple(reversed(steps))
