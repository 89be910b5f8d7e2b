"""How much was recorded in a window, and the calls over time in steps of equal length."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

from mcpobs.queries import catalog
from mcpobs.queries.header import Value
from mcpobs.queries.plan import Plan
from mcpobs.queries.run import Result, run
from mcpobs.reports.request import Asked
from mcpobs.reports.wording import Record

_SECOND = 1_000_000_000
_STEPS_S = (
    *(1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200),
    *(86_400, 2 * 86_400, 7 * 86_400, 14 * 86_400, 28 * 86_400, 91 * 86_400, 364 * 86_400),
)
_LONGEST_NS = _STEPS_S[-1] * _SECOND
MOST = 60
"""Steps at most: a column of each can still be seen on a phone."""


@dataclass(frozen=True, slots=True)
class Activity:
    """Calls, and failed calls among them, in each step from `start_unix_nano` on."""

    start_unix_nano: int
    step_ns: int
    calls: tuple[int, ...]
    failed: tuple[int, ...]

    @property
    def end_unix_nano(self) -> int:
        return self.start_unix_nano + self.step_ns * len(self.calls)


def extent(plan: Plan, asked: Asked) -> dict[str, Any]:
    """How much was recorded in the window."""
    given: dict[str, Value] = {"since": asked.window.since, "until": asked.window.until, **asked.filters.params()}
    return run(plan, catalog.load("extent"), given).records()[0]


def activity(plan: Plan, asked: Asked, extent: Record) -> Activity | None:
    """The calls of the window from the first to the last, which `extent` has; None if there are none."""
    if not extent["calls"]:
        return None
    first, last = extent["first_unix_nano"], extent["last_unix_nano"]
    step = bucket_ns(first, last)
    given: dict[str, Value] = {"since": asked.window.since, "until": asked.window.until, **asked.filters.params()}
    return steps(run(plan, catalog.load("activity"), {**given, "step": step}), first, last, step)


def bucket_ns(first: int, last: int) -> int:
    """Returns the shortest usual step, or else the least multiple of the longest, of which at most MOST reach from the
    first call to the last."""
    usual = (step * _SECOND for step in _STEPS_S)
    longer = itertools.count(2 * _LONGEST_NS, _LONGEST_NS)  # a nonsense clock somewhere
    return next(width for width in itertools.chain(usual, longer) if last // width - first // width < MOST)


def steps(found: Result, first: int, last: int, width: int) -> Activity:
    """The rows of queries/activity.sql with the steps in between that have none."""
    start = first - first % width
    calls = [0] * ((last - start) // width + 1)
    failed = list(calls)
    for record in found.records():
        place = (record["from_unix_nano"] - start) // width
        if 0 <= place < len(calls):  # a call that was recorded between the two queries
            calls[place] += record["calls"]
            failed[place] += record["failed"]
    return Activity(start, width, tuple(calls), tuple(failed))
