"""Reads the bounds of arguments' values from recorded features (`protocol/features.py`). Reads no lake.

Features hold no content: of a text the power of two of its length, of a number the power of four of its size and its
sign. So a bound here is the end of a range, exact for the question whether a value lies beyond it.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

import orjson

_HASHED = re.compile(r"#[0-9a-f]{6}")  # the name of an argument that the tool's schema does not declare
_LARGEST = 2**53


class Bound(NamedTuple):
    """What a value of an argument is at most: its `max_length`, `max_items` or `max`, or how far it is below zero
    (`min`)."""

    argument: str
    measure: str
    bound: int


def least_of(measure: str, bound: int) -> int:
    """The smallest value of the range that ends with a bound."""
    if measure in ("min", "max"):
        return (bound + 1) // 4 if bound > 15 else 0
    return (bound + 1) // 2


@lru_cache(maxsize=65_536)
def bounds_of(features: str) -> tuple[Bound, ...]:
    """The bounds of declared arguments in a call's features; none for features without them."""
    try:
        values = orjson.loads(features).get("values")
    except (orjson.JSONDecodeError, AttributeError):  # a sender's own
        return ()
    if not isinstance(values, dict):
        return ()
    found = []
    for argument, word in values.items():
        if isinstance(word, str) and not _HASHED.fullmatch(argument):
            found += [Bound(argument, measure, bound) for measure, bound in _of_word(word) if bound <= _LARGEST]
    return tuple(found)


def _of_word(word: str) -> list[tuple[str, int]]:
    """The measures of a word of `protocol/codeword.py`."""
    try:
        match word[:1]:
            case "s":
                return [("max_length", _below(word[1]))]
            case "n":
                bound = 4 ** (int(word[1], 36) + 2) - 1
                return [("min", bound), ("max", 0)] if word[2] == "-" else [("min", 0), ("max", bound)]
            case "l":
                return [("max_items", _below(word[1])), ("max_length", _below(word[2]))]
            case "o":
                return [("max_length", _below(word[2]))]
    except (IndexError, ValueError):  # a sender's own
        pass
    return []


def _below(digit: str) -> int:
    """The largest number of so many bits."""
    return int((1 << int(digit, 36)) - 1)
