"""Sessions, loops, shapes and latencies of the lake, counted alike for the baseline and the check. Judges nothing."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import groupby
from typing import NamedTuple

from mcpobs.baseline.features import bounds_of
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
    tenant: str | None = None


class Use(NamedTuple):
    """One tool in one session."""

    service: str | None
    tool: str | None
    role: str | None
    calls: int  # that reached the server
    taken: int  # calls that were not refused as wrong
    failed: int
    unpriced: int  # calls that the tool ran for, without a recorded cost
    cost_microusd: int | None
    args_bytes: int | None
    result_bytes: int | None
    denied: int  # further calls, which a policy denied
    denied_args_bytes: int | None
    denied_by: str | None
    first_unix_nano: int  # denied calls too
    last_unix_nano: int
    end_unix_nano: int | None  # of calls that reached the server

    @property
    def unit_microusd(self) -> int:
        """The recorded cost of one call, rounded up; 0 if none was recorded."""
        priced = self.taken - self.unpriced
        return -(-self.cost_microusd // priced) if self.cost_microusd and priced > 0 else 0

    def wanted(self) -> Use:
        """The same if its denied calls had been allowed."""
        sizes = [size for size in (self.args_bytes, self.denied_args_bytes) if size is not None]
        unit = self.unit_microusd
        return self._replace(
            calls=self.calls + self.denied,
            taken=self.taken + self.denied,
            unpriced=self.unpriced + (0 if unit else self.denied),
            cost_microusd=(self.cost_microusd or 0) + unit * self.denied,
            args_bytes=max(sizes, default=None),
            denied=0,
            end_unix_nano=max(self.last_unix_nano, self.end_unix_nano or 0),
        )


class ArgumentValue(NamedTuple):
    """The most of one argument's value in a session: `bound` is the end of the range that is recorded of it."""

    tool: str
    argument: str
    measure: str
    bound: int


@dataclass(frozen=True)
class Session:
    """A session with all of its tool calls so far; it may still be open. `denied` are its uses with a denied call."""

    pair: Pair
    uses: tuple[Use, ...]
    denied: tuple[Use, ...] = ()
    values: tuple[ArgumentValue, ...] = ()

    @cached_property
    def calls(self) -> int:
        return sum(use.calls for use in self.uses)

    @property
    def first_unix_nano(self) -> int:
        return min(use.first_unix_nano for use in (*self.uses, *self.denied))

    @property
    def last_unix_nano(self) -> int:
        return max(use.last_unix_nano for use in (*self.uses, *self.denied))

    @property
    def duration_s(self) -> float:
        """From the start of its first call to the end of its last, rounded up to a millisecond."""
        end = max((use.end_unix_nano or 0 for use in self.uses), default=0)
        return max(0, -(-(end - self.first_unix_nano) // 1_000_000)) / 1000

    @property
    def role(self) -> str | None:
        return min((use.role for use in (*self.uses, *self.denied) if use.role is not None), default=None)

    @property
    def distinct_tools(self) -> int:
        return sum(use.tool is not None for use in self.uses)

    def wanted(self) -> Session:
        """The same session if its denied calls had been allowed: the least that it would have done without a policy."""
        used = [use.wanted() if use.denied else use for use in self.uses]
        used += [use.wanted() for use in self.denied if not use.calls]
        return Session(self.pair, tuple(used), (), self.values)

    def cost_microusd(self, price: Price) -> int:
        """What its calls cost: as recorded, else the price of a call of the tool, else nothing."""
        return sum((use.cost_microusd or 0) + use.unpriced * price.get((use.service, use.tool), 0) for use in self.uses)


class Hour(NamedTuple):
    """The busiest hour of a caller that ended on a day, of one tool or (None) of all. `wanted` counts denied calls."""

    key: str
    tenant: str | None
    day: int
    tool: str | None
    role: str | None
    calls: int
    wanted: int


class Following(NamedTuple):
    """How often one tool followed another, and how often any did."""

    after: str
    then: str
    calls: int
    followed: int
    sessions: int


class Shape(NamedTuple):
    """A shape of arguments of a tool, or a form of its answers."""

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
        _session(Pair._make(pair), [Use._make(row[3:]) for row in group])
        for pair, group in groupby(rows, key=lambda row: row[:3])
    ]


def _session(pair: Pair, uses: list[Use]) -> Session:
    denied = tuple([use for use in uses if use.denied])
    return Session(pair, tuple([use for use in uses if use.calls]) if denied else tuple(uses), denied)


def with_values(sessions: Iterable[Session], plan: Plan, window: Window, server: str | None) -> list[Session]:
    """The sessions with the recorded bounds of their arguments' values."""
    rows = run(plan, catalog.load("baseline_values"), {"until": window.until, "server": server}).rows
    found: dict[Pair, dict[tuple[str, str, str], int]] = {}
    for session, key, tenant, tool, features in rows:
        known = found.setdefault(Pair(session, key, tenant), {})
        for argument, measure, bound in bounds_of(features):
            at = (tool, argument, measure)
            if bound > known.get(at, -1):
                known[at] = bound
    return [
        replace(one, values=tuple([ArgumentValue(*at, bound) for at, bound in found.get(one.pair, {}).items()]))
        for one in sessions
    ]


def hours(plan: Plan, window: Window, server: str | None) -> list[Hour]:
    """The busiest hours of each caller, day by day."""
    return [Hour._make(row) for row in run(plan, catalog.load("baseline_hours"), _given(window, server)).rows]


def followings(plan: Plan, window: Window, server: str | None, least: int) -> list[Following]:
    """Which tool follows which in at least so many sessions, the most frequent first."""
    values = {**_given(window, server), "least": least}
    return [Following._make(row) for row in run(plan, catalog.load("baseline_sequences"), values).rows]


def loops(plan: Plan, window: Window, server: str | None) -> list[Loop]:
    """The most wasteful first."""
    records = run(plan, catalog.load("loops"), _given(window, server)).records()
    return [Loop(row["session_id"], row["pattern"], row["calls"]) for row in records]


def shapes(plan: Plan, window: Window, server: str | None) -> list[Shape]:
    rows = run(plan, catalog.load("baseline_shapes"), _given(window, server)).rows
    return [
        Shape(tool, shape, calls, n, Pair(session, key, tenant), last)
        for tool, shape, calls, n, session, key, tenant, last in rows
    ]


def forms(plan: Plan, window: Window, server: str | None) -> list[Shape]:
    """The forms of answers, by tool."""
    rows = run(plan, catalog.load("baseline_forms"), _given(window, server)).rows
    return [
        Shape(tool, form, calls, n, Pair(session, key, tenant), last)
        for tool, form, calls, n, session, key, tenant, last in rows
    ]


def latencies(
    plan: Plan, window: Window, server: str | None, min_calls: int, *, answered_only: bool = False
) -> list[Latency]:
    """The tools with enough calls, slowest first: the numbers of `mcpobs report latency`. A budget is learned from
    answered calls only, because a call that hung would raise it."""
    given = {**_given(window, server), "min_calls": min_calls, "waits": int(not answered_only)}
    result = run(plan, catalog.load("latency"), given)
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
