"""Limits against traffic: what went over. Reads the lake; changes and enforces nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from mcpobs.baseline import early, traffic
from mcpobs.baseline.derive import MIN_CALLS
from mcpobs.baseline.features import least_of
from mcpobs.baseline.samples import error_rate, in_unit
from mcpobs.baseline.traffic import Hour, Latency, Price, Session, Shape
from mcpobs.limits import paths
from mcpobs.limits.model import VALUES, Limits
from mcpobs.queries.header import Column
from mcpobs.queries.plan import Plan
from mcpobs.reports.early import HashName
from mcpobs.reports.window import Window
from mcpobs.settings import Config

COLUMNS = (
    Column("limit", "varchar", "which limit, by its path in the file; `tools` for a tool that the file does not list"),
    Column("tool", "varchar", "gen_ai.tool.name; null for a limit of the whole session"),
    Column("session_id", "varchar", "the session, for a shape or a tool one of them; null for a latency or an hour"),
    Column("measured", "double", "what was measured, in the limit's unit; null for a shape or a tool"),
    Column("allowed", "double", "the limit; null for a shape or a tool"),
    Column("calls", "bigint", "calls behind the measure"),
    Column("last_unix_nano", "bigint", "start of the last of them; null for a latency or an hour"),
    Column("note", "varchar", "what the file does not list; the argument; the enforcement key and its day"),
)

_ORDER = (
    "session.calls",
    "session.cost_usd",
    "session.duration_s",
    "session.distinct_tools",
    "key.calls_per_hour",
    "calls_per_session",
    "calls_per_hour",
    "error_rate",
    "latency_ms",
    "arguments.max_bytes",
    "arguments.shapes",
    "result.shapes",
    "argument_values",
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
    run: str | None = None,
    hash_name: HashName | None = None,
) -> Checked:
    """Compares the sessions of a window with the limits; counted and priced as the baseline does. With `run` only the
    traffic with that label."""
    plan = plan.of_run(run)
    names = {path[-1] for path, _ in paths.numbers(limits)}
    sessions = traffic.sessions(plan, window, server)
    if names & set(VALUES):
        sessions = traffic.with_values(sessions, plan, window, server)
    found: list[Breach] = []
    found += _sessions(limits, sessions, traffic.prices(sessions, config))
    if "calls_per_hour" in names:
        found += _hours(limits, traffic.hours(plan, window, server))
    found += _latencies(limits, traffic.latencies(plan, window, server, MIN_CALLS))
    listed = {tool: limits.of(tool).arguments.shapes or () for tool in limits.tools}
    found += _shapes(
        "arguments.shapes",
        early.named(traffic.shapes(plan, window, server), listed, hash_name),
        lambda tool: limits.of(tool).arguments.shapes,
    )
    if any(tool.result_shapes is not None for tool in limits.tools.values()):
        forms = traffic.forms(plan, window, server)
        found += _shapes("result.shapes", forms, lambda tool: limits.of(tool).result_shapes)
    found += _unlisted(limits, sessions)
    return Checked(len(sessions), sum(session.calls for session in sessions), sorted(found, key=_place))


def _place(breach: Breach) -> tuple[int, float, str, str, str]:
    excess = (breach.measured or breach.calls) / (breach.allowed or 1)
    return _ORDER.index(breach.limit), -excess, breach.tool or "", breach.session or "", breach.note or ""


def _sessions(limits: Limits, sessions: Iterable[Session], price: Price) -> Iterator[Breach]:
    for session in sessions:
        yield from _session(limits, session, price)
        yield from _uses(limits, session)
        yield from _values(limits, session)


def _session(limits: Limits, session: Session, price: Price) -> Iterator[Breach]:
    held = limits.session_of(session.pair.tenant, session.role)
    id_, last = session.pair.session, session.last_unix_nano
    for name, limit, value in (
        ("session.calls", held.calls, session.calls),
        ("session.cost_usd", held.cost_usd, session.cost_microusd(price)),
        ("session.duration_s", held.duration_s, session.duration_s),
        ("session.distinct_tools", held.distinct_tools, session.distinct_tools),
    ):
        if limit is not None and value > in_unit((name.removeprefix("session."),), limit.value):
            measured = value / 1_000_000 if name == "session.cost_usd" else value
            yield Breach(name, None, id_, measured, limit.value, session.calls, last)


def _uses(limits: Limits, session: Session) -> Iterator[Breach]:
    for use in session.uses:
        if use.tool is None:
            continue
        of = limits.tool_of(use.tool, session.pair.tenant, session.role)
        for name, limit, value in (
            ("calls_per_session", of.calls_per_session, use.calls),
            ("error_rate", of.error_rate, error_rate(use.failed, use.calls)),
            ("arguments.max_bytes", of.arguments.max_bytes, use.args_bytes),
            ("result.max_bytes", of.result_max_bytes, use.result_bytes),
        ):
            if limit is not None and value is not None and value > limit.value:
                id_ = session.pair.session
                yield Breach(name, use.tool, id_, value, limit.value, use.calls, use.last_unix_nano)


def _values(limits: Limits, session: Session) -> Iterator[Breach]:
    """Values of arguments that lie beyond a limit for sure: only their range is recorded."""
    uses = {use.tool: use for use in session.uses}
    for one in session.values:
        of = limits.tool_of(one.tool, session.pair.tenant, session.role).argument_values.get(one.argument)
        limit = getattr(of, one.measure) if of is not None else None
        use = uses.get(one.tool)
        least = least_of(one.measure, one.bound)
        if limit is None or use is None or least <= in_unit((one.measure,), limit.value):
            continue
        value = -least if one.measure == "min" else least
        note = f"{one.argument}.{one.measure}"
        id_ = session.pair.session
        yield Breach("argument_values", one.tool, id_, value, limit.value, use.calls, use.last_unix_nano, note)


def _hours(limits: Limits, hours: Iterable[Hour]) -> Iterator[Breach]:
    for hour in hours:
        day = datetime.fromtimestamp(86_400 * hour.day, UTC).strftime("%Y-%m-%d")
        if hour.tool is None:
            name, limit = "key.calls_per_hour", limits.key_of(hour.tenant, hour.role).calls_per_hour
        else:
            name, limit = "calls_per_hour", limits.tool_of(hour.tool, hour.tenant, hour.role).calls_per_hour
        if limit is not None and hour.calls > limit.value:
            yield Breach(name, hour.tool, None, hour.calls, limit.value, hour.calls, None, f"{hour.key} {day}")


def _latencies(limits: Limits, latencies: Iterable[Latency]) -> Iterator[Breach]:
    for latency in latencies:
        budget = limits.of(latency.tool).latency_ms
        if budget is not None and latency.p95_ms > budget.value:
            yield Breach("latency_ms", latency.tool, None, latency.p95_ms, budget.value, latency.calls, None)


def _shapes(name: str, shapes: Iterable[Shape], listed_of: Callable[[str], Sequence[str] | None]) -> Iterator[Breach]:
    for one in shapes:
        listed = listed_of(one.tool)
        if listed is not None and one.shape not in listed:
            yield Breach(
                name,
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
