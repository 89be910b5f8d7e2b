"""Which tool has the highest p95 right now: the newest window that holds enough, and the tools in it by rank."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mcpobs.queries import catalog
from mcpobs.queries.header import Column, Value
from mcpobs.queries.plan import Plan
from mcpobs.queries.run import Result, run
from mcpobs.reports import window
from mcpobs.reports.filters import Filters
from mcpobs.reports.latencies import latencies
from mcpobs.reports.window import Window

MIN_CALLS = 20
"""Under 20 calls the 95th percentile is the slowest call but one or itself, and one slow call would win."""

RANKED = Column("ranked", "boolean", "the tool has enough calls to be ranked")


@dataclass(frozen=True, slots=True)
class Ranking:
    """The tools of a window by p95, those with too few calls (`ranked` is false) after all others. `rounded`: by
    roll-ups."""

    window: Window
    min_calls: int
    result: Result
    rounded: bool

    @property
    def winner(self) -> dict[str, Any] | None:
        records = self.result.records()
        return records[0] if records and records[0][RANKED.name] else None


def rank(
    plan: Plan, filters: Filters, chosen: Window | None, now: int, min_calls: int, *, exact: bool = False
) -> Ranking:
    """The ranking in the chosen window; where none is chosen, in the last hour, else in the newest that has a tool
    with `min_calls` answered calls, else of all time."""
    if chosen is not None:
        return _ranking(plan, filters, chosen, min_calls, exact)
    found = _ranking(plan, filters, window.last_hour(now), min_calls, exact)
    if found.winner:
        return found
    return _ranking(plan, filters, _newest_with_enough(plan, filters, min_calls), min_calls, exact)


def _ranking(plan: Plan, filters: Filters, chosen: Window, min_calls: int, exact: bool) -> Ranking:
    given: dict[str, Value] = {"since": chosen.since, "until": chosen.until, **filters.params()}
    found = latencies(plan, given, exact=exact)
    result = found.result
    calls = [column.name for column in result.columns].index("calls")
    rows = [(*row, row[calls] >= min_calls) for row in result.rows]
    rows.sort(key=lambda row: not row[-1])  # stable: by p95 in either part
    return Ranking(chosen, min_calls, Result((*result.columns, RANKED), rows, result.total), found.rounded)


def _newest_with_enough(plan: Plan, filters: Filters, min_calls: int) -> Window:
    """Looks back twice as far as each window is long, for it ends with the newest answered call: all of a large lake
    is read only where its newest part does not do."""
    end = _end(plan)
    for place, (_, length, _) in enumerate(window.STEPS if end is not None else ()):
        since = max(0, (end or 0) - 2 * length)
        tools = run(plan, catalog.load("windows"), {**filters.params(), "since": since}).records()
        if tools and int(tools[0]["newest_unix_nano"]) - length >= since:
            found = _shortest(tools, min_calls, place + 1)
            if found is not None:
                return found
    tools = run(plan, catalog.load("windows"), {**filters.params()}).records()
    return (_shortest(tools, min_calls, len(window.STEPS)) if tools else None) or window.EVERYTHING


def _shortest(tools: list[dict[str, Any]], min_calls: int, steps: int) -> Window | None:
    """The shortest of the first steps in which a tool has enough calls."""
    newest = int(tools[0]["newest_unix_nano"])
    for column, length, words in window.STEPS[:steps]:
        if max(tool[column] for tool in tools) >= min_calls:
            return window.before(newest, length, words)
    return None


def _end(plan: Plan) -> int | None:
    """A time at or after the start of the newest span; None if it is unknown without reading all spans."""
    if plan.source.lake is None:
        return None
    ends = [file.last_unix_nano for file in plan.source.files]
    if plan.source.spool is not None:
        spool = f"select max(start_unix_nano) as last_unix_nano from {plan.source.spool}"
        ends += [last for (last,) in plan.connection.execute(spool).fetchall()]
    known = [end for end in ends if end is not None]
    return max(known) if known and len(known) == len(ends) else None
