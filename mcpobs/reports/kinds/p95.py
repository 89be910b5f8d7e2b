"""`mcpobs report --p95`: which tool is the slowest, in the newest window that has enough calls.

Tools are ranked by the p95 that they have at least (`queries/p95_low.sql`). So one slow call does not win, and a few
slow calls of the last hour are not passed over for a busier week.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import Any

from mcpobs.queries import catalog
from mcpobs.queries.header import Column, Query, Value
from mcpobs.queries.plan import Plan
from mcpobs.queries.run import Result, run
from mcpobs.reports import window
from mcpobs.reports.answer import Answer
from mcpobs.reports.chart import Chart
from mcpobs.reports.filters import Filters
from mcpobs.reports.kinds.latency import latencies
from mcpobs.reports.report import Report
from mcpobs.reports.request import Asked
from mcpobs.reports.unanswered import parts, unanswered
from mcpobs.reports.window import Window
from mcpobs.reports.wording import Record, count, milliseconds, tool

MIN_CALLS = 5
"""From 5 calls on the p95 is at least the second slowest with 95 % confidence: one slow call decides nothing."""

SURE = "95 % sure"

LOW = Column("p95_low_ms", "double", "the 95th percentile is at least this, with 95 % confidence; null for one call")
CHART = Chart("bar", "tool", (LOW.name,))
"""The bars are as long as the rank says."""

ANSWERS = ("service_name", "tool", "calls", "p50_ms", "p95_ms", LOW.name, "max_ms", "failed_ratio")

NAMED = 2
"""Tools after the first, and tools with too few calls, that the sentence names."""

NOTED_RATIO = 0.1
"""Failures of the slowest tool that the sentence mentions: its share of all calls."""

RANKED = Column("ranked", "boolean", "the tool has enough calls to be ranked")


@dataclass(frozen=True, slots=True)
class Ranking:
    """The tools of a window by the p95 that they have at least, those with too few calls (`ranked` is false) after all
    others. `rounded`: by roll-ups."""

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
    names = [column.name for column in found.result.columns]
    tool_of = itemgetter(names.index("service_name"), names.index("tool"))
    calls, p95 = names.index("calls"), names.index("p95_ms")
    bounds = run(plan, catalog.load("p95_low_rolled" if found.rounded else "p95_low"), given)
    low = {(service, tool): least for service, tool, least in bounds.rows}
    rows = [
        (*row[: p95 + 1], low.get(tool_of(row)), *row[p95 + 1 :], row[calls] >= min_calls) for row in found.result.rows
    ]
    rows.sort(key=lambda row: (not row[-1], -(row[p95] if row[p95 + 1] is None else row[p95 + 1])))
    columns = (*found.result.columns[: p95 + 1], LOW, *found.result.columns[p95 + 1 :], RANKED)
    return Ranking(chosen, min_calls, Result(columns, rows, found.result.total), found.rounded)


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
        answer = self.answered(found.window, found.result, said)
        return replace(answer, min_calls=least, chart=CHART, answers=ANSWERS)


def sentence(found: Ranking) -> str:
    """Which tool has the highest p95, over how many calls, in which window, and which have too few calls to say."""
    records = found.result.records()
    winner = found.winner
    several = len({record["service_name"] for record in records}) > 1
    if winner:
        about = "about " if found.rounded else ""
        if "p95_ms" in (winner["lower_bounds"] or "").split():
            about = f"{about}at least "
        text = (
            f"{tool(winner, several)}: p95 {about}{milliseconds(winner['p95_ms'])} ms over "
            f"{count(winner['calls'], 'call')} {found.window.when}"
        )
        low = winner[LOW.name]
        notes = [] if low is None else [f"at least {milliseconds(low)} ms, {SURE}"]
        if winner["failed_ratio"] >= NOTED_RATIO:
            notes.append(f"{winner['failed_ratio'] * 100:.0f} % failed")
        text += f" ({'; '.join(notes)})" if notes else ""
        return text + _then(records, several) + _too_few(records, low or 0.0, several)
    if records:
        most = max(record["calls"] for record in records)
        few = f"no tool has {found.min_calls:,} answered calls {found.window.when}; the most is {most:,}"
        return few + _too_few(records, 0.0, several)
    return f"no answered calls {found.window.when}"


def _then(records: Sequence[Record], several: bool) -> str:
    """The next tools of the rank: one that hangs must not hide one that is slow."""
    named = [
        f"{tool(record, several)} {milliseconds(record['p95_ms'])} ms"
        for record in records[1 : 1 + NAMED]
        if record[RANKED.name]
    ]
    return f"; then {', '.join(named)}" if named else ""


def _too_few(records: Sequence[Record], low: float, several: bool) -> str:
    """The tools with too few calls that may be slower than the winner, the slowest first."""
    slow = [record for record in records if not record[RANKED.name] and record["max_ms"] > low]
    slow.sort(key=lambda record: -record["max_ms"])
    named = [
        f"{tool(record, several)} ({count(record['calls'], 'call')}, up to {milliseconds(record['max_ms'])} ms)"
        for record in slow[:NAMED]
    ]
    more = f" and {len(slow) - NAMED:,} more" if len(slow) > NAMED else ""
    return f"; too few calls to rank: {', '.join(named)}{more}" if named else ""
