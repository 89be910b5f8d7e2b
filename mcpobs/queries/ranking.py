"""Which tool has the highest p95 right now: the newest window that holds enough, and the tools in it by rank."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mcpobs.lake.engine import Connection
from mcpobs.queries import catalog, window
from mcpobs.queries.filters import Filters
from mcpobs.queries.header import Column, Value
from mcpobs.queries.run import Result, run
from mcpobs.queries.window import Window

MIN_CALLS = 20
"""Under 20 calls the 95th percentile is the slowest call but one or itself, and one slow call would win."""

RANKED = Column("ranked", "boolean", "the tool has enough calls to be ranked")


@dataclass(frozen=True, slots=True)
class Ranking:
    """The tools of a window by p95, those with too few calls (`ranked` is false) after all others."""

    window: Window
    min_calls: int
    result: Result

    @property
    def winner(self) -> dict[str, Any] | None:
        records = self.result.records()
        return records[0] if records and records[0][RANKED.name] else None


def rank(connection: Connection, filters: Filters, chosen: Window | None, now: int, min_calls: int) -> Ranking:
    """The ranking in the chosen window; where none is chosen, in the last hour, else in the newest that has a tool
    with `min_calls` answered calls, else of all time."""
    if chosen is not None:
        return _ranking(connection, filters, chosen, min_calls)
    found = _ranking(connection, filters, window.last_hour(now), min_calls)
    if found.winner:
        return found
    return _ranking(connection, filters, _newest_with_enough(connection, filters, min_calls), min_calls)


def _ranking(connection: Connection, filters: Filters, chosen: Window, min_calls: int) -> Ranking:
    given: dict[str, Value] = {"since": chosen.since, "until": chosen.until, **filters.params()}
    result = run(connection, catalog.load("latency"), given)
    calls = [column.name for column in result.columns].index("calls")
    rows = [(*row, row[calls] >= min_calls) for row in result.rows]
    rows.sort(key=lambda row: not row[-1])  # stable: by p95 in either part
    return Ranking(chosen, min_calls, Result((*result.columns, RANKED), rows, result.total))


def _newest_with_enough(connection: Connection, filters: Filters, min_calls: int) -> Window:
    tools = run(connection, catalog.load("windows"), {**filters.params()}).records()
    if not tools:
        return window.EVERYTHING
    newest = int(tools[0]["newest_unix_nano"])
    for column, length, words in window.STEPS:
        if max(tool[column] for tool in tools) >= min_calls:
            return window.before(newest, length, words)
    return window.EVERYTHING
