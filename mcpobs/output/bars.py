"""Bars of block characters, an eighth of a cell exact. Pure."""

from __future__ import annotations

from collections.abc import Sequence

_EIGHTHS = " ▏▎▍▌▋▊▉█"

LEAST = 8
MOST = 20
"""Cells of a bar: with fewer nothing can be compared, with more nothing is gained."""


def bar(share: float | None, cells: int) -> str:
    """A share from 0 to 1 as a bar in so many cells. More than nothing is at least a sliver."""
    if not share:
        return ""
    eighths = max(1, round(min(share, 1.0) * cells * 8))
    whole, rest = divmod(eighths, 8)
    return _EIGHTHS[8] * whole + (_EIGHTHS[rest] if rest else "")


def shares(values: Sequence[object]) -> list[float | None]:
    """Each number as a share of the largest; None for what is no number."""
    numbers = [number_of(value) for value in values]
    largest = max((number for number in numbers if number is not None), default=0.0)
    return [None if number is None else number / largest if largest > 0 else 0.0 for number in numbers]


def number_of(value: object) -> float | None:
    """A number that can be drawn: not negative, and finite."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value < 1e300 else None
