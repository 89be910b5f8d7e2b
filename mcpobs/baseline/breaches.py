"""Limits against traffic: what went over. Reads the lake; changes and enforces nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from mcpobs.baseline import early, traffic
from mcpobs.baseline.derive import MIN_CALLS
from mcpobs.baseline.traffic import Latency, Price, Session, Shape
from mcpobs.limits.model import Limits
from mcpobs.queries.header import Column
from mcpobs.queries.plan import Plan
from mcpobs.reports.early import HashName
from mcpobs.reports.window import Window
from mcpobs.settings import Config

COLUMNS = (
    Column("limit", "varchar", "which limit, by its path in the file; `tools` for a tool that the file does not list"),
    Column("tool", "varchar", "gen_ai.tool.name; null for a limit of the whole session"),
    Column("session_id", "varchar", "the session, for a shape or a tool one of them; null for a latency"),
    Column("measured", "double", "what was measured, in the limit's unit; null for a shape or a tool"),
    Column("allowed", "double", "the limit; null for a shape or a tool"),
    Column("calls", "bigint", "calls behind the measure"),
    Column("last_unix_nano", "bigint", "start of the last of them; null for a latency"),
    Column("note", "varchar", "what the file does not list"),
)

_ORDER = (
    "session.calls",
    "session.cost_usd",
    "calls_per_session",
    "latency_ms",
    "arguments.max_bytes",
    "arguments.shapes",
    "result.max_bytes",
    "tools",
)


class Breach(NamedTuple):
    """A row with the columns of COLUMNS."""

    limit: str
    tool: str | None
    session: str | None
    measured: float | None
    allowed: float | None
    calls: int
    last_unix_nano: int | None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Checked:
    """How much was looked at, and the breaches: by limit, the worst first."""

    sessions: int
    calls: int
    breaches: list[Breach]


@traffic.uncollected()
def check(
    plan: Plan,
    limits: Limits,
    window: Window,
    server: str | None,
    config: Config,
    hash_name: HashName | None = None,
) -> Checked:
    """Compares the sessions of a window with the limits; counted and priced as the baseline does."""
    sessions = traffic.sessions(plan, window, server)
    found: list[Breach] = []
    found += _sessions(limits, sessions, traffic.prices(sessions, config))
    found += _uses(limits, sessions)
    found += _latencies(limits, traffic.latencies(plan, window, server, MIN_CALLS))
    listed = {tool: limits.of(tool).arguments.shapes or () for tool in limits.tools}
    found += _shapes(limits, early.named(traffic.shapes(plan, window, server), listed, hash_name))
    found += _unlisted(limits, sessions)
    return Checked(len(sessions), sum(session.calls for session in sessions), sorted(found, key=_place))


def _place(breach: Breach) -> tuple[int, float, str, str, str]:
    excess = (breach.measured or breach.calls) / (breach.allowed or 1)
    return _ORDER.index(breach.limit), -excess, breach.tool or "", breach.session or "", breach.note or ""


def _sessions(limits: Limits, sessions: Iterable[Session], price: Price) -> Iterator[Breach]:
    calls, cost = limits.session.calls, limits.session.cost_usd
    for session in sessions:
        id_, last = session.pair.session, session.last_unix_nano
        if calls is not None and session.calls > calls.value:
            yield Breach("session.calls", None, id_, session.calls, calls.value, session.calls, last)
        # In millionths: the limit was one before it was written as dollars.
        if cost is not None and (spent := session.cost_microusd(price)) > round(cost.value * 1_000_000):
            yield Breach("session.cost_usd", None, id_, spent / 1_000_000, cost.value, session.calls, last)


def _uses(limits: Limits, sessions: Iterable[Session]) -> Iterator[Breach]:
    for session in sessions:
        for use in session.uses:
            if use.tool is None:
                continue
            of = limits.of(use.tool)
            for name, limit, value in (
                ("calls_per_session", of.calls_per_session, use.calls),
                ("arguments.max_bytes", of.arguments.max_bytes, use.args_bytes),
                ("result.max_bytes", of.result_max_bytes, use.result_bytes),
            ):
                if limit is not None and value is not None and value > limit.value:
                    id_ = session.pair.session
                    yield Breach(name, use.tool, id_, value, limit.value, use.calls, use.last_unix_nano)


def _latencies(limits: Limits, latencies: Iterable[Latency]) -> Iterator[Breach]:
    for latency in latencies:
        budget = limits.of(latency.tool).latency_ms
        if budget is not None and latency.p95_ms > budget.value:
            yield Breach("latency_ms", latency.tool, None, latency.p95_ms, budget.value, latency.calls, None)


def _shapes(limits: Limits, shapes: Iterable[Shape]) -> Iterator[Breach]:
    for one in shapes:
        listed = limits.of(one.tool).arguments.shapes
        if listed is not None and one.shape not in listed:
            yield Breach(
                "arguments.shapes",
                one.tool,
                one.pair.session,
                None,
                None,
                one.calls,
                one.last_unix_nano,
                one.shape,
            )


def _unlisted(limits: Limits, sessions: Sequence[Session]) -> Iterator[Breach]:
    """Tools that came after the baseline. One that the server refuses to know is none."""
    names = {use.tool for session in sessions for use in session.uses if use.tool is not None and use.taken}
    for tool in sorted(name for name in names if not limits.lists(name)):
        users = [(session, use) for session in sessions for use in session.uses if use.tool == tool]
        last = max(use.last_unix_nano for _, use in users)
        calls = sum(use.calls for _, use in users)
        yield Breach("tools", tool, users[0][0].pair.session, None, None, calls, last, "not in the file")
