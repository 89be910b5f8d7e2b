"""Compares the values of arguments with the numbers of a limits file. Does no I/O.

A value of a type that evades the numbers of the file is refused, such as a list or text in place of a number. An
argument that is missing, null, true or false passes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from mcpobs.limits.model import Limit, ValueLimits
from mcpobs.policy.codes import Code
from mcpobs.policy.conditions import CallFacts, Reads, RuleError, UndecidableError, Unknown


class Bounds(NamedTuple):
    """The numbers of one argument."""

    max_length: float | None
    max_items: float | None
    min: float | None
    max: float | None

    @property
    def is_number(self) -> bool:
        return self.min is not None or self.max is not None

    @property
    def is_text(self) -> bool:
        return self.max_length is not None

    @property
    def is_list(self) -> bool:
        return self.max_items is not None


@dataclass(frozen=True)
class ArgumentValues:
    """The values of the arguments of a call, by name."""

    bounds: tuple[tuple[str, Bounds], ...]
    reads: frozenset[Reads] = frozenset({"arguments"})
    code: Code = Code.ARGUMENTS
    remembers: Mapping[str, tuple[tuple[str, ...], ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, limits: Mapping[str, ValueLimits]) -> ArgumentValues:
        """Leaves out arguments without a number."""
        bounds = ((name, _bounds(limits[name])) for name in sorted(limits))
        return cls(tuple((name, one) for name, one in bounds if any(number is not None for number in one)))

    def holds(self, facts: CallFacts) -> bool:
        return next(self._problems(facts), None) is None

    def needs(self, facts: CallFacts) -> str:
        try:
            return next(self._problems(facts), "its arguments are beyond a limit")
        except (RuleError, UndecidableError):
            return "its arguments are not of the form that is allowed here"

    def _problems(self, facts: CallFacts) -> Iterator[str]:
        arguments = facts.arguments
        if isinstance(arguments, Unknown):
            raise UndecidableError
        if not isinstance(arguments, dict):
            raise RuleError("its arguments are not named")
        for name, bounds in self.bounds:
            problem = _problem(arguments.get(name), bounds)
            if problem is not None:
                yield f"{name} {problem}"


def _bounds(of: ValueLimits) -> Bounds:
    return Bounds(_value(of.max_length), _value(of.max_items), _value(of.min), _value(of.max))


def _value(limit: Limit | None) -> float | None:
    return None if limit is None else limit.value


def _problem(value: object, bounds: Bounds) -> str | None:
    """Describes the fault of a value; None if it has none."""
    match value:
        case None | bool():
            return None
        case str():
            return _of_text(value, bounds)
        case int() | float():
            return _of_number(value, bounds)
        case list():
            if not bounds.is_list and not bounds.is_text:
                return "may not be a list"
            if bounds.max_items is not None and len(value) > bounds.max_items:
                return f"has more than {bounds.max_items:g} items"
            return _of_members(value, bounds)
        case dict():
            return _of_members([value], bounds) if bounds.is_text else "may not be an object"
        case _:
            return "cannot be read"


def _of_text(text: str, bounds: Bounds) -> str | None:
    if not bounds.is_text and not bounds.is_list:
        return "has to be a number"
    if bounds.max_length is not None and len(text) > bounds.max_length:
        return f"has more than {bounds.max_length:g} characters"
    try:
        number = float(text) if bounds.is_number else None
    except ValueError:
        return None
    return None if number is None else _of_number(number, bounds)  # a server may take the text for the number


def _of_number(number: float, bounds: Bounds) -> str | None:
    if not bounds.is_number:
        return None
    if not math.isfinite(number):
        return "is not a finite number"
    if bounds.min is not None and number < bounds.min:
        return f"is below {bounds.min:g}"
    return f"is above {bounds.max:g}" if bounds.max is not None and number > bounds.max else None


def _of_members(items: list[object], bounds: Bounds) -> str | None:
    """Compares the texts of a list or object, at any depth and names included, and the numbers in a list."""
    left: list[object] = list(items)
    while left:
        item = left.pop()
        if isinstance(item, dict):
            left += item
            left += item.values()
        elif isinstance(item, list):
            left += item
        elif isinstance(item, str):
            if bounds.max_length is not None and len(item) > bounds.max_length:
                return f"has a text of more than {bounds.max_length:g} characters"
        elif isinstance(item, int | float) and not isinstance(item, bool):
            problem = _of_number(item, bounds)
            if problem is not None:
                return f"has a number that {problem}"
    return None
