"""`mcpobs report latency`: percentiles of each tool from every call, or from roll-ups if those are too many to read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mcpobs.queries import catalog
from mcpobs.queries.header import Value
from mcpobs.queries.plan import Plan
from mcpobs.queries.run import Result, run
from mcpobs.reports.answer import Answer
from mcpobs.reports.report import Report
from mcpobs.reports.request import Asked

ROLLED_FROM = 2_000_000
"""Calls from which on roll-ups stand for them: exact percentiles of two million calls take half a second."""

BOUND = "1.1 %"
"""How far a percentile from roll-ups may be off; `queries/latency_rolled.sql` says why."""

ENOUGH = 20  # calls that either window needs for a trend, as in queries/latency.sql


@dataclass(frozen=True, slots=True)
class Latencies:
    """The answer of the report latency; `rounded` if its percentiles are, by at most BOUND."""

    result: Result
    rounded: bool


def latencies(plan: Plan, given: Mapping[str, Value], *, exact: bool = False) -> Latencies:
    """The report latency with its parameters."""
    values = dict(given)
    before = values.pop("before", None)
    view = catalog.view("durations")
    window: dict[str, Value] = {name: values[name] for name in ("since", "until", "session") if name in values}
    if exact or plan.kept_rows(view, window) < ROLLED_FROM:
        return Latencies(run(plan, catalog.load("latency"), dict(given)), rounded=False)
    rolled = catalog.load("latency_rolled")
    found = run(plan, rolled, values)
    if before is not None:
        earlier = run(plan, rolled, {**values, "since": before, "until": values.get("since"), "min_calls": 1})
        found = _with_trend(found, earlier)
    return Latencies(found, rounded=True)


def _with_trend(found: Result, earlier: Result) -> Result:
    names = [column.name for column in found.columns]
    place = names.index("p95_trend")
    past = {
        (record["service_name"], record["tool"]): record["p95_ms"]
        for record in earlier.records()
        if record["calls"] >= ENOUGH
    }
    rows = []
    for row, record in zip(found.rows, found.records(), strict=True):
        then = past.get((record["service_name"], record["tool"]))
        trend = record["p95_ms"] / then if then and record["calls"] >= ENOUGH else None
        rows.append((*row[:place], trend, *row[place + 1 :]))
    return Result(found.columns, rows, found.total)


ROUNDED = f"percentiles are from roll-ups, off by at most {BOUND}; --exact reads every call"


class Latency(Report):
    """The slowest tool comes first. A digest answers its question by the report p95."""

    rounds = True
    answered_by = "p95"

    def answer(self, plan: Plan, asked: Asked) -> Answer:
        found = latencies(plan, self.values(asked), exact=asked.request.exact)
        return self.answered(asked.window, found.result, ROUNDED if found.rounded and found.result.rows else None)
