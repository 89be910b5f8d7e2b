"""`mcpobs report --p95`: which tool is the slowest, in the newest window that has enough calls."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from mcpobs.queries import catalog
from mcpobs.queries.header import Column, Query, Value
from mcpobs.queries.plan import Plan
from mcpobs.queries.run import Result, run
from mcpobs.reports import window
from mcpobs.reports.answer import Answer
from mcpobs.reports.filters import Filters
from mcpobs.reports.kinds.latency import latencies
from mcpobs.reports.report import Report
from mcpobs.reports.request import Asked
from mcpobs.reports.unanswered import parts, unanswered
from mcpobs.reports.window import Window
from mcpobs.reports.wording import count, milliseconds, tool

MIN_CALLS = 20
"""With fewer calls the 95th percentile is the slowest or second slowest call, and one slow call would win."""

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
    """The ranking in the chosen window. If none is chosen: in the last hour, else in the newest window that has a tool
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
    """Looks back twice as far as each window is long, because it ends with the newest answered call. All of a large
    lake is read only if its newest part has too few."""
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


class HighestP95(Report):
    """The tools of one window by p95, those with too few calls apart."""

    layout = "ranking"
    rounds = True
    name = "p95"
    question = "Which tool has the highest p95 right now?"
    command = "mcpobs report --p95"
    looks_back = True
    takes_min_calls = True
    has_costs = False
    compares = False

    @classmethod
    def query_of(cls, name: str) -> Query:
        return catalog.load("latency")

    def answer(self, plan: Plan, asked: Asked) -> Answer:
        request = asked.request
        least = MIN_CALLS if request.min_calls is None else request.min_calls
        found = rank(plan, asked.filters, asked.chosen, asked.now, least, exact=request.exact)
        hung = [record for record in unanswered(plan, found.window, asked.filters) if record["failed"]]
        said = "; ".join([sentence(found), *parts(hung)])
        return replace(self.answered(found.window, found.result, said), min_calls=least)


def sentence(found: Ranking) -> str:
    """Which tool has the highest p95, over how many calls, in which window."""
    records = found.result.records()
    winner = found.winner
    if winner:
        several = len({record["service_name"] for record in records}) > 1
        p95 = milliseconds(winner["p95_ms"])
        about = "about " if found.rounded else ""
        if "p95_ms" in (winner["lower_bounds"] or "").split():
            about = f"{about}at least "
        return f"{tool(winner, several)}: p95 {about}{p95} ms over {count(winner['calls'], 'call')} {found.window.when}"
    if records:
        most = max(record["calls"] for record in records)
        return f"no tool has {found.min_calls:,} answered calls {found.window.when}; the most is {most:,}"
    return f"no answered calls {found.window.when}"
