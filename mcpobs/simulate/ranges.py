"""Decides numbers of arguments by the recorded features of a call, which hold ranges of values and no value.

A range that lies within a number or beyond it decides; one that the number divides does not.
"""

from __future__ import annotations

import orjson

from mcpobs.baseline.features import bounds_of, least_of
from mcpobs.policy.values import ArgumentValues, Bounds
from mcpobs.protocol.features import MAX_ARGUMENTS

_NO_VALUE = ("b", "z")
_KINDS = {"s": ("max_length",), "n": ("min", "max"), "l": ("max_items", "max_length"), "o": ("max_length",)}


def decided(condition: ArgumentValues, features: str) -> bool | None:
    """Returns whether the arguments of a call are within their numbers; None if their ranges do not decide it."""
    words = _words(features)
    if words is None:
        return None
    held = {(one.argument, one.measure): one.bound for one in bounds_of(features)}
    found = [_of_argument(name, bounds, words, held) for name, bounds in condition.bounds]
    return False if False in found else None if None in found else True


def _words(features: str) -> dict[str, str] | None:
    """The recorded words of a call's arguments; None if not all of them are recorded."""
    try:
        read = orjson.loads(features)
    except orjson.JSONDecodeError:  # a sender's own
        return None
    values = read.get("values") if isinstance(read, dict) and not read.get("cut") else None
    if not isinstance(values, dict):
        return None
    return {name: word for name, word in values.items() if isinstance(word, str)}


def _of_argument(name: str, bounds: Bounds, words: dict[str, str], held: dict[tuple[str, str], int]) -> bool | None:
    word = words.get(name)
    if word is None:  # left out, or not declared and so recorded by a hash, or one of too many
        return None if len(words) >= MAX_ARGUMENTS or any(one.startswith("#") for one in words) else True
    if word[:1] in _NO_VALUE:
        return True
    kinds = _KINDS.get(word[:1])
    if kinds is None:
        return None
    if word[:1] != "n" and bounds.is_number:
        return None if bounds.is_text or bounds.is_list else False
    if word[:1] == "o" and not bounds.is_text:
        return False
    more = word[:1] == "n" and "t" in word[3:]  # a fraction: less than 1 beyond its range
    found = [_within(getattr(bounds, kind), kind, held.get((name, kind)), more) for kind in kinds]
    return False if False in found else None if None in found else True


def _within(limit: float | None, measure: str, bound: int | None, more: bool) -> bool | None:
    if limit is None:
        return True
    if bound is None or (measure == "min" and limit > 0) or (measure == "max" and limit < 0):
        return None  # recorded is only how far a number is from zero
    most = -limit if measure == "min" else limit
    if bound + (more and bound > 0) <= most:
        return True
    return False if least_of(measure, bound) > most else None
