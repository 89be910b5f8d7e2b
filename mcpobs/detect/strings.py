"""Lists the strings of a JSON value, keys included. Does no I/O, never recurses and never changes a value."""

from __future__ import annotations

from collections.abc import Generator
from typing import NamedTuple

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
    stack: list[_Waiting] = [_Waiting(value)]
    for _ in range(MOST_VALUES):
        if not stack:
            return False
        waiting = stack.pop()
        found, path = waiting.value, waiting.path()
        if isinstance(found, str):
            yield Text(path, found, waiting.is_key, waiting.key, is_deep=waiting.is_deep)
        elif isinstance(found, dict):
            for name, below in reversed(found.items()):
                name = name if isinstance(name, str) else str(name)
                stack.append(_Waiting(below, path, name, name))
                stack.append(_Waiting(name, path, name, waiting.key, is_key=True))
        elif isinstance(found, list | tuple):
            places = range(len(found) - 1, -1, -1)
            stack += (_Waiting(found[place], path, place, waiting.key) for place in places)
        elif numbers and (digits := _digits(found)) is not None:
            yield Text(path, digits, False, waiting.key, is_number=True, is_deep=waiting.is_deep)
    return bool(stack)


class _Waiting(NamedTuple):
    """A value that the walk is still to visit. Its own path is made when it is."""

    value: object
    above: Path = ()
    step: str | int | None = None
    key: str | None = None
    is_key: bool = False

    @property
    def is_deep(self) -> bool:
        return len(self.above) >= MOST_DEPTH

    def path(self) -> Path:
        return self.above if self.step is None or self.is_deep else (*self.above, self.step)


def _digits(number: object) -> str | None:
    """The digits of a long integer, also of one that is written as a float (`4155550123.0`)."""
    if isinstance(number, float) and number.is_integer() and abs(number) < 10**MOST_DIGITS:
        number = int(number)
    if not isinstance(number, int) or not 10 ** (LEAST_DIGITS - 1) <= abs(number) < 10**MOST_DIGITS:
        return None
    return str(number)
