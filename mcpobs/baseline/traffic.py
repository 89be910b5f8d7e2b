"""Sessions, loops, shapes and latencies of the lake, counted alike for the baseline and the check. Judges nothing."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import NamedTuple

from mcpobs.queries import catalog
from mcpobs.queries.header import Value
from mcpobs.queries.plan import Plan
from mcpobs.queries.run import run
from mcpobs.reports.window import Window
from mcpobs.settings import Config

Price = Mapping[tuple[str | None, str | None], int]
"""What a call costs by server and tool, in millionths of a US dollar, if its cost was not recorded."""


class Pair(NamedTuple):
    """A session: an id, and who calls. The id alone may be anybody's choice."""

    session: str
    key: str | None


class Use(NamedTuple):
    """One tool in one session."""

    service: str | None
    tool: str | None
    calls: int
    taken: int  # calls that were not refused as wrong
    unpriced: int  # calls that the tool ran for, without a recorded cost
    cost_microusd: int | None
    args_bytes: int | None
    result_bytes: int | None
    first_unix_nano: int
    last_unix_nano: int


@dataclass(frozen=True)
class Session:
    """A session with all of its tool calls so far; it may still be open."""

    pair: Pair
    uses: tuple[Use, ...]

    @cached_property
    def calls(self) -> int:
        return sum(use.calls for use in self.uses)

    @property
    def last_unix_nano(self) -> int:
        return max(use.last_unix_nano for use in self.uses)

    def cost_microusd(self, price: Price) -> int:
        """What its calls cost: as recorded, else the price of a call of the tool, else nothing."""
        return sum((use.cost_microusd or 0) + use.unpriced * price.get((use.service, use.tool), 0) for use in self.uses)


class Shape(NamedTuple):
    """A shape of arguments that a tool was given."""

    tool: str
    shape: str
    calls: int
    sessions: int
    pair: Pair  # a session with it: the one, where there is one
    last_unix_nano: int


class Loop(NamedTuple):
    """A loop signature. The pattern names the tools of one round."""

    session: str
    pattern: str
    calls: int


class Latency(NamedTuple):
    """How long a tool takes to answer."""

    tool: str
    calls: int
    p50_ms: float
    p95_ms: float


def sessions(plan: Plan, window: Window, server: str | None) -> list[Session]:
    """The sessions that made a call in the window, by id."""
    rows = run(plan, catalog.load("baseline"), _given(window, server)).rows
    return [
        Session(Pair._make(pair), tuple([Use._make(row[2:]) for row in group]))
        for pair, group in groupby(rows, key=lambda row: (row[0], row[1]))
    ]


def loops(plan: Plan, window: Window, server: str | None) -> list[Loop]:
    """The most wasteful first."""
    records = run(plan, catalog.load("loops"), _given(window, server)).records()
    return [Loop(row["session_id"], row["pattern"], row["calls"]) for row in records]


def shapes(plan: Plan, window: Window, server: str | None) -> list[Shape]:
    rows = run(plan, catalog.load("baseline_shapes"), _given(window, server)).rows
    return [
        Shape(tool, shape, calls, n, Pair(session, key), last) for tool, shape, calls, n, session, key, last in rows
    ]


def latencies(plan: Plan, window: Window, server: str | None, min_calls: int) -> list[Latency]:
    """The tools with enough answered calls, slowest first: the numbers of `mcpobs report latency`."""
    result = run(plan, catalog.load("latency"), {**_given(window, server), "min_calls": min_calls})
    return [
        Latency(row["tool"], row["calls"], row["p50_ms"], row["p95_ms"])
        for row in result.records()
        if row["tool"] is not None
    ]


@contextmanager
def uncollected() -> Iterator[None]:
    """Keeps the garbage collector from looking through a million facts, none in a circle, again and again: a fifth
    of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _given(window: Window, server: str | None) -> dict[str, Value]:
    return {"since": window.since, "until": window.until, "server": server}


def prices(sessions: Iterable[Session], config: Config) -> Price:
    """The configured prices of the tools that were called: those of a call only, because results are not recorded."""
    tools = {(use.service, use.tool) for session in sessions for use in session.uses}
    rules = {(server, tool): config.prices.of(server, tool) for server, tool in tools if tool is not None}
    return {
        whose: rule.call_microusd
        for whose, rule in rules.items()
        if rule is not None and rule.call_microusd is not None
    }
