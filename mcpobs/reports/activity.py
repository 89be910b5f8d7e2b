"""Calls over time, in steps of equal length. Pure; the numbers come from queries/activity.sql."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mcpobs.queries.run import Result

_SECOND = 1_000_000_000
_STEPS_S = (
    *(1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200),
    *(86_400, 2 * 86_400, 7 * 86_400, 14 * 86_400, 28 * 86_400, 91 * 86_400, 364 * 86_400),
)
MOST = 60
"""Steps at most: a column of each can still be seen on a phone."""

_LEVELS = "▁▂▃▄▅▆▇█"


@dataclass(frozen=True, slots=True)
class Series:
    """Calls, and failed calls among them, in each step from `start_unix_nano` on."""

    start_unix_nano: int
    step_ns: int
    calls: tuple[int, ...]
    failed: tuple[int, ...]

    @property
    def end_unix_nano(self) -> int:
        return self.start_unix_nano + self.step_ns * len(self.calls)


def bucket_ns(first: int, last: int) -> int:
    """The shortest usual step of which at most MOST reach from the first to the last call."""
    for step in _STEPS_S:
        width = step * _SECOND
        if last // width - first // width < MOST:
            return width
    longest = _STEPS_S[-1] * _SECOND  # a nonsense clock somewhere
    return longest * ((last // longest - first // longest) // MOST + 1)


def series(found: Result, first: int, last: int, width: int) -> Series:
    """The rows of queries/activity.sql with the steps in between that have none."""
    start = first - first % width
    calls = [0] * ((last - start) // width + 1)
    failed = list(calls)
    for record in found.records():
        place = (record["from_unix_nano"] - start) // width
        if 0 <= place < len(calls):  # a call that was recorded between the two queries
            calls[place] += record["calls"]
            failed[place] += record["failed"]
    return Series(start, width, tuple(calls), tuple(failed))


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
