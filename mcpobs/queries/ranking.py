"""Which tool has the highest p95 right now: the newest window that holds enough, and the tools in it by rank."""

from __future__ import annotations

from dataclasses import dataclass

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
    """The tools of a window by p95, those with too few calls after all others."""

    window: Window
    min_calls: int
    columns: tuple[Column, ...]
    ranked: list[tuple[object, ...]]
    too_few: list[tuple[object, ...]]


def rank(connection: Connection, filters: Filters, chosen: Window | None, now: int, min_calls: int) -> Ranking:
    """The ranking in the chosen window; where none is chosen, in the last hour, else in the newest that has a tool
    with `min_calls` answered calls, else of all time."""
    if chosen is not None:
        return _split(_latency(connection, filters, chosen), chosen, min_calls)
    hour = window.last_hour(now)
    found = _split(_latency(connection, filters, hour), hour, min_calls)
    if found.ranked:
        return found
    newest = _newest_with_enough(connection, filters, min_calls)
    return _split(_latency(connection, filters, newest), newest, min_calls)


def _latency(connection: Connection, filters: Filters, chosen: Window) -> Result:
    given: dict[str, Value] = {"since": chosen.since, "until": chosen.until, **filters.params()}
    return run(connection, catalog.load("latency"), given)


def _newest_with_enough(connection: Connection, filters: Filters, min_calls: int) -> Window:
    query = catalog.load("windows")
    tools = run(connection, query, {**filters.params()}).records()
    if not tools:
        return window.EVERYTHING
    newest = int(tools[0]["newest_unix_nano"])
    for column, length, words in window.STEPS:
        if max(tool[column] for tool in tools) >= min_calls:
            return window.before(newest, length, words)
    return window.EVERYTHING


def _split(result: Result, chosen: Window, min_calls: int) -> Ranking:
    calls = [column.name for column in result.columns].index("calls")
    return Ranking(
        window=chosen,
        min_calls=min_calls,
        columns=(*result.columns, RANKED),
        ranked=[(*row, True) for row in result.rows if row[calls] >= min_calls],
        too_few=[(*row, False) for row in result.rows if row[calls] < min_calls],
    )
