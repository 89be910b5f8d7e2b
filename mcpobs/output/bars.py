"""Bars of block characters, an eighth of a cell exact. Pure."""

from __future__ import annotations

_EIGHTHS = " ▏▎▍▌▋▊▉█"

LEAST = 8
MOST = 20
"""Cells of a bar: under LEAST nothing can be compared, over MOST nothing is gained."""


def bar(share: float | None, cells: int) -> str:
    """A share from 0 to 1 as a bar in so many cells. What is more than nothing is at least a sliver."""
    if not share:
        return ""
    eighths = max(1, round(min(share, 1.0) * cells * 8))
    whole, rest = divmod(eighths, 8)
    return _EIGHTHS[8] * whole + (_EIGHTHS[rest] if rest else "")
