"""Limits against traffic: what went over. Reads the lake; changes and enforces nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from mcpobs.baseline import early, traffic
from mcpobs.baseline.derive import MIN_CALLS
from mcpobs.baseline.evidence import further_over
from mcpobs.baseline.features import least_of
from mcpobs.baseline.samples import error_rate, in_unit
from mcpobs.baseline.traffic import Hour, Latency, Price, Session, Shape
from mcpobs.errors import nearest
from mcpobs.limits import paths
from mcpobs.limits.model import ANY_TOOL, VALUES, Limit, Limits, ToolLimits
from mcpobs.queries.header import Column
from mcpobs.queries.plan import Plan
from mcpobs.reports.early import HashName
from mcpobs.reports.window import EVERYTHING, Window
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
    Column(
        "finding", "varchar", "limit broken, new tool, new shape, or unknown tool: in the file, and not in the lake"
    ),
    Column("expected", "varchar", "how many of those compared the file expects over this limit; null without evidence"),
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


BROKEN = "limit broken"
NEW_TOOL = "new tool"
NEW_SHAPE = "new shape"
UNKNOWN_TOOL = "unknown tool"


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
    finding: str = BROKEN
    expected: str | None = None


class Broken(NamedTuple):
    """A limit that was broken: by how many of the sessions (for an hour: days of callers) that it was compared with,
    and how many of so many the file expects, with 90 % confidence."""

    limit: str
    tool: str | None
    allowed: float
    over: int
    compared: int
    low: int | None
    high: int | None

    @property
    def expected(self) -> str | None:
        return None if self.high is None else f"{self.low:,} to {self.high:,} of {self.compared:,}"


@dataclass(frozen=True, slots=True)
class Checked:
    """How much was looked at, the breaches, by limit and the worst first, and the limits that were broken."""

    sessions: int
    calls: int
    breaches: list[Breach]
    broken: Sequence[Broken] = ()


_Key = tuple[str, str | None, int]
"""A limit: its name, its tool if the limit is of one, and the number in the file."""


class _Comparison:
    """Counts the sessions compared with each limit and those over it, and keeps what went over."""

    def __init__(self) -> None:
        self._compared: Counter[_Key] = Counter()
        self._over: Counter[_Key] = Counter()
        self._limits: dict[_Key, Limit] = {}
        self._found: list[tuple[_Key, Breach]] = []

    def is_over(self, name: str, tool: str | None, limit: Limit | None, value: float | None, bound: float) -> bool:
        """Counts the value of one session, or of one day of a caller; False without a limit or a value."""
        if limit is None or value is None:
            return False
        key = name, tool, id(limit)
        self._limits[key] = limit
        self._compared[key] += 1
        self._over[key] += value > bound
        return value > bound

    def add(self, limit: Limit, breach: Breach) -> None:
        """Keeps what went over."""
        self._found.append(((breach.limit, breach.tool, id(limit)), breach))

    def broken(self) -> dict[_Key, Broken]:
        return {key: self._broken(key, over) for key, over in self._over.items() if over}

    def _broken(self, key: _Key, over: int) -> Broken:
        limit, compared = self._limits[key], self._compared[key]
        evidence = limit.evidence
        low = high = None
        if evidence.n_all is not None and evidence.would_have_cut is not None:
            low, high = further_over(evidence.n_all, min(evidence.would_have_cut, evidence.n_all), compared)
        return Broken(key[0], key[1], limit.value, over, compared, low, high)

    def breaches(self) -> list[Breach]:
        broken = self.broken()
        return [breach._replace(expected=broken[key].expected) for key, breach in self._found]


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
    compared = _Comparison()
    _sessions(compared, limits, sessions, traffic.prices(sessions, config))
    if "calls_per_hour" in names:
        _hours(compared, limits, traffic.hours(plan, window, server))
    found = compared.breaches()
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
    found += _unknown(limits, sessions, plan, server)
    calls = sum(session.calls for session in sessions)
    broken = sorted(compared.broken().values(), key=lambda one: (_ORDER.index(one.limit), one.tool or "", -one.over))
    return Checked(len(sessions), calls, sorted(found, key=_place), broken)


def _place(breach: Breach) -> tuple[int, float, str, str, str]:
    excess = (breach.measured or breach.calls) / (breach.allowed or 1)
    return _ORDER.index(breach.limit), -excess, breach.tool or "", breach.session or "", breach.note or ""


def _sessions(compared: _Comparison, limits: Limits, sessions: Iterable[Session], price: Price) -> None:
    for session in sessions:
        _session(compared, limits, session, price)
        _uses(compared, limits, session)
        _values(compared, limits, session)


def _session(compared: _Comparison, limits: Limits, session: Session, price: Price) -> None:
    held = limits.session_of(session.pair.tenant, session.role)
    id_, last = session.pair.session, session.last_unix_nano
    for name, limit, value in (
        ("session.calls", held.calls, session.calls),
        ("session.cost_usd", held.cost_usd, session.cost_microusd(price)),
        ("session.duration_s", held.duration_s, session.duration_s),
        ("session.distinct_tools", held.distinct_tools, session.distinct_tools),
    ):
        bound = in_unit((name.removeprefix("session."),), limit.value) if limit is not None else 0
        if limit is not None and compared.is_over(name, None, limit, value, bound):
            measured = value / 1_000_000 if name == "session.cost_usd" else value
            compared.add(limit, Breach(name, None, id_, measured, limit.value, session.calls, last))


def _uses(compared: _Comparison, limits: Limits, session: Session) -> None:
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
            if limit is not None and compared.is_over(name, use.tool, limit, value, limit.value):
                id_ = session.pair.session
                compared.add(limit, Breach(name, use.tool, id_, value, limit.value, use.calls, use.last_unix_nano))


def _values(compared: _Comparison, limits: Limits, session: Session) -> None:
    """Compares the values of arguments; one is over if it lies beyond for sure, because only its range is recorded."""
    uses = {use.tool: use for use in session.uses}
    for one in session.values:
        of = limits.tool_of(one.tool, session.pair.tenant, session.role).argument_values.get(one.argument)
        limit = getattr(of, one.measure) if of is not None else None
        use = uses.get(one.tool)
        least = least_of(one.measure, one.bound)
        if limit is None or use is None:
            continue
        if not compared.is_over("argument_values", one.tool, limit, least, in_unit((one.measure,), limit.value)):
            continue
        value = -least if one.measure == "min" else least
        note = f"{one.argument}.{one.measure}"
        id_ = session.pair.session
        breach = Breach("argument_values", one.tool, id_, value, limit.value, use.calls, use.last_unix_nano, note)
        compared.add(limit, breach)


def _hours(compared: _Comparison, limits: Limits, hours: Iterable[Hour]) -> None:
    for hour in hours:
        day = datetime.fromtimestamp(86_400 * hour.day, UTC).strftime("%Y-%m-%d")
        if hour.tool is None:
            name, limit = "key.calls_per_hour", limits.key_of(hour.tenant, hour.role).calls_per_hour
        else:
            name, limit = "calls_per_hour", limits.tool_of(hour.tool, hour.tenant, hour.role).calls_per_hour
        if limit is not None and compared.is_over(name, hour.tool, limit, hour.calls, limit.value):
            breach = Breach(name, hour.tool, None, hour.calls, limit.value, hour.calls, None, f"{hour.key} {day}")
            compared.add(limit, breach)


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
                NEW_SHAPE,
            )


def _unlisted(limits: Limits, sessions: Sequence[Session]) -> Iterator[Breach]:
    """Tools that came after the baseline. One that the server refuses to know is none."""
    for tool in sorted(name for name in _taken(sessions) if not limits.lists(name)):
        users = [(session, use) for session in sessions for use in session.uses if use.tool == tool]
        last = max(use.last_unix_nano for _, use in users)
        calls = sum(use.calls for _, use in users)
        yield Breach("tools", tool, users[0][0].pair.session, None, None, calls, last, "not in the file", NEW_TOOL)


def _unknown(limits: Limits, sessions: Sequence[Session], plan: Plan, server: str | None) -> Iterator[Breach]:
    """Tools that a person wrote into the file and that the lake has never seen: such a limit bounds nothing."""
    written = {name for tools in _tools(limits) for name, tool in tools.items() if _is_by_hand(limits, name, tool)}
    if not written - _taken(sessions):
        return
    known = _taken(traffic.sessions(plan, EVERYTHING, server))
    for name in sorted(written - known):
        like = nearest(name, known)
        words = "no such tool in the lake" + (f"; did you mean `{like}`?" if like else "")
        yield Breach("tools", name, None, None, None, 0, None, words, UNKNOWN_TOOL)


def _tools(limits: Limits) -> Iterator[Mapping[str, ToolLimits]]:
    yield limits.tools
    yield from (group.tools for group in (*limits.tenants.values(), *limits.roles.values()))


def _is_by_hand(limits: Limits, name: str, tool: ToolLimits) -> bool:
    """Whether a person wrote the entry: learned numbers have evidence, and a tool without numbers is empty."""
    if name == ANY_TOOL:
        return False
    if limits.baseline is None:
        return True
    group = Limits(tools={name: tool})
    found = [limit for _, limit in paths.numbers(group)]
    return bool(found) and all(limit.evidence.n is None for limit in found)


def _taken(sessions: Iterable[Session]) -> set[str]:
    """The tools that the server took a call of."""
    return {use.tool for session in sessions for use in session.uses if use.tool is not None and use.taken}
