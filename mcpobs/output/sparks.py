"""Calls over time as blocks of eight heights, on one line. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from mcpobs.reports.activity import Activity
from mcpobs.reports.wording import moment

CELLS = 48
"""Blocks on a line at most."""

_SECOND = 1_000_000_000
_LEVELS = "▁▂▃▄▅▆▇█"


def over_time(activity: Activity, cells: int = CELLS) -> str:
    """Calls over time on one line, with the time that a block stands for."""
    sparks = sparkline(activity.calls, cells)
    each = step_words(activity.step_ns * -(-len(activity.calls) // cells))
    return f"{moment(activity.start_unix_nano)} {sparks} {moment(activity.end_unix_nano)}  a block is {each}\n"


def sparkline(values: Sequence[int], cells: int) -> str:
    """The values as blocks of eight heights, in at most so many cells. A step without calls is blank; one with any
    never is."""
    each = -(-len(values) // max(1, cells))
    sums = [sum(values[at : at + each]) for at in range(0, len(values), each)] if values else []
    largest = max(sums, default=0)
    return "".join(" " if not value else _LEVELS[(value * len(_LEVELS) - 1) // largest] for value in sums)


def step_words(width: int) -> str:
    """The length of a step: `5 minutes`."""
    seconds = width // _SECOND
    for length, word in ((86_400, "day"), (3600, "hour"), (60, "minute")):
        if seconds % length == 0:
            seconds, unit = seconds // length, word
            break
    else:
        unit = "second"
    return f"1 {unit}" if seconds == 1 else f"{seconds:,} {unit}s"
