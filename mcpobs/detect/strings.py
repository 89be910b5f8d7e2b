"""Lists the strings of a JSON value, keys included. Does no I/O, never recurses and never changes a value."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from typing import Any, NamedTuple

MOST_VALUES = 200_000
"""Values visited in one document. A result of 10 MB that holds only small numbers has more; its strings past these are
not inspected."""
MOST_DEPTH = 64
"""Steps of a path: 200,000 strings at a depth of 1,000 would need 1.6 GB of paths. Deeper strings are yielded, too."""
LEAST_DIGITS = 7
"""Of an integer that may stand for a text: a telephone or card number."""
MOST_DIGITS = 40
"""Of such an integer. To write one of more than 4,300 raises an error."""

Path = tuple[str | int, ...]


class Text(NamedTuple):
    path: Path
    text: str
    is_key: bool
    key: str | None = None
    """The nearest member name above it."""
    is_number: bool = False
    is_deep: bool = False
    """It lies below its path, which ends at MOST_DEPTH."""


def strings(value: object, numbers: bool = False) -> Generator[Text, None, bool]:
    """Yields every string and every key of a JSON value in document order, each with its path.

    With `numbers` also long integers, as texts. Returns whether the value has more than it visited. The path of a key
    ends with that key. The walk keeps a stack of its own, so that depth is bounded by memory alone.
    """
    levels = [_Level([value], (), None)]
    levels[0].is_root = True
    left = MOST_VALUES
    while levels:
        level = levels[-1]
        for step, found in level.items:
            if left <= 0:
                return True
            left -= 1
            key = level.key
            if isinstance(step, str):
                left -= 1
                yield Text(level.path_of(step), step, True, key, False, level.is_deep)
                key = step
            if isinstance(found, str):
                yield Text(level.path_of(step), found, False, key, False, level.is_deep)
            elif isinstance(found, dict | list | tuple):
                levels.append(_Level(found, level.path_of(step), key))
                break
            elif numbers and (digits := _digits(found)) is not None:
                yield Text(level.path_of(step), digits, False, key, True, level.is_deep)
        else:
            levels.pop()
    return False


class _Level:
    """An object or array that the walk is in, with the rest of its items."""

    __slots__ = ("is_deep", "is_root", "items", "key", "path")

    def __init__(self, value: dict[Any, Any] | Sequence[Any], path: Path, key: str | None) -> None:
        self.items: Iterator[tuple[str | int, Any]] = iter(
            ((str(name), below) for name, below in value.items()) if isinstance(value, dict) else enumerate(value)
        )
        self.path, self.key = path, key
        self.is_deep, self.is_root = len(path) >= MOST_DEPTH, False

    def path_of(self, step: str | int) -> Path:
        return self.path if self.is_deep or self.is_root else (*self.path, step)


def _digits(number: object) -> str | None:
    """The digits of a long integer, also of one that is written as a float (`4155550123.0`)."""
    if isinstance(number, float) and number.is_integer() and abs(number) < 10**MOST_DIGITS:
        number = int(number)
    if not isinstance(number, int) or not 10 ** (LEAST_DIGITS - 1) <= abs(number) < 10**MOST_DIGITS:
        return None
    return str(number)
