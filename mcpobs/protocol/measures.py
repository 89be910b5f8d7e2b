"""Reads what a result says of its own cost, where the book of prices says to look. Keeps nothing else, never raises.

A tool chooses what it says: only a finite number that is not negative counts (or, for units, a list), and each is
bounded before anything is computed of it.
"""

from __future__ import annotations

import math

from mcpobs.prices.rule import (
    META,
    MICRO,
    MOST_MICROUSD,
    MOST_TOKENS,
    MOST_UNITS_MILLI,
    NOTHING,
    Measured,
    Path,
    Rule,
)
from mcpobs.protocol.decode import RawNumber
from mcpobs.protocol.result import answer_of


def measure(rule: Rule, result: object) -> Measured:
    """The measures that a rule asks for."""
    if not isinstance(result, dict):
        return NOTHING
    answer = answer_of(result) if rule.looks_in_answer else None
    units = reported = tokens = None
    if rule.unit_nanousd is not None:
        found = _at(result, answer, rule.units)
        units = _scaled(len(found) if isinstance(found, list) else found, 1000, MOST_UNITS_MILLI)
    if rule.reported is not None:
        found = _at(result, answer, rule.reported)
        reported = _scaled(found, MICRO if rule.reported_in == "usd" else 1, MOST_MICROUSD)
    if rule.tokens is not None:
        tokens = _scaled(_at(result, answer, rule.tokens), 1, MOST_TOKENS)
    return Measured(units, reported, tokens)


def _at(result: dict[str, object], answer: object, path: Path) -> object:
    value = result if path[:1] == (META,) else answer
    for step in path:
        if isinstance(step, str):
            value = value.get(step) if isinstance(value, dict) else None
        elif isinstance(value, dict):
            value = value.get(str(step))  # a name may be digits
        else:
            value = value[step] if isinstance(value, list) and step < len(value) else None
    return value


def _scaled(value: object, times: int, most: int) -> int | None:
    """A number in whole units of its `times`th part, at most so many; None for what does not count."""
    if isinstance(value, RawNumber):  # too long for Python, or NaN and its like
        return most if value.is_integer and not value.text.startswith("-") else None
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        return None
    if isinstance(value, int):
        return min(value * times, most)
    if not math.isfinite(value):
        return None
    return most if value * times >= most else int(value * times + 0.5)
