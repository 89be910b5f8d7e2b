"""Models a limits file: numbers that bound sessions and tools, each with its evidence. Does no I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Literal, TypeVar, get_args

VERSION = 1
Strategy = Literal["seed", "cut-rate"]
STRATEGIES: tuple[Strategy, ...] = get_args(Strategy)
ERROR_RATE_CALLS = 10
"""A session's error rate is its failed calls of a tool among all of them, or among so many if it made fewer."""
ANY_TOOL = "*"
"""The entry of `tools` whose numbers apply to each tool without its own number."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """The evidence for a number. All fields are optional: a person may write the bare number.

    `observed_max`, `mean`, `p50` and `p95` are in the number's own unit and over `n` normal sessions (for latency:
    over `n` calls; for a number per hour: over `n` days of a key). `would_have_cut` counts all past sessions, the
    excluded ones too. `next_1000_cut` is a 90 % prediction interval for 1,000 further normal sessions
    (`baseline/evidence.py`), `next_1000_all` one for 1,000 further sessions of any kind, from all `n_all`. The
    limit follows from its evidence alone (`baseline/rules.py`), so a limit that does not is a person's.
    `order_statistic` is the observed value that a cut rate chose. `censored` counts sessions whose demand is
    unknown because a policy denied one of these calls; `cut_at` is the most that one of them reached, and the limit
    is not below it.
    """

    factor: float | None = None
    rule: str | None = None
    order_statistic: float | None = None
    observed_max: float | None = None
    observed_min: float | None = None
    mean: float | None = None
    p50: float | None = None
    p95: float | None = None
    n: int | None = None
    censored: int | None = None
    cut_at: float | None = None
    would_have_cut: int | None = None
    next_1000_cut: tuple[int, int] | None = None
    n_all: int | None = None
    next_1000_all: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Limit:
    """The largest allowed value, and its evidence."""

    value: float
    evidence: Evidence = Evidence()


@dataclass(frozen=True, slots=True)
class ArgumentLimits:
    """Limits of arguments. `shapes` None allows any shape; an empty list allows none."""

    max_bytes: Limit | None = None
    shapes: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class ValueLimits:
    """The limits of one argument's value, by its type: characters of a text (in a list or object: of its longest text),
    items of a list, the range of a number. Only `min` may be negative."""

    max_length: Limit | None = None
    max_items: Limit | None = None
    min: Limit | None = None
    max: Limit | None = None


VALUES = tuple(each.name for each in fields(ValueLimits))


@dataclass(frozen=True, slots=True)
class ToolLimits:
    """The limits of one tool. None means no limit here.

    `calls_per_hour` bounds a key in any rolling hour, over all of its sessions. `error_rate` bounds the share of a
    session's calls that failed, among at least ERROR_RATE_CALLS. `argument_values` has declared arguments only.
    `result_shapes` are forms of answers (`protocol/form.py`); None allows any.
    """

    calls_per_session: Limit | None = None
    latency_ms: Limit | None = None
    arguments: ArgumentLimits = ArgumentLimits()
    result_max_bytes: Limit | None = None
    calls_per_hour: Limit | None = None
    error_rate: Limit | None = None
    argument_values: Mapping[str, ValueLimits] = field(default_factory=dict)
    result_shapes: tuple[str, ...] | None = None

    def backed_by(self, other: ToolLimits) -> ToolLimits:
        """Returns these limits, with the other's in place of missing ones."""
        return ToolLimits(
            calls_per_session=self.calls_per_session or other.calls_per_session,
            calls_per_hour=self.calls_per_hour or other.calls_per_hour,
            error_rate=self.error_rate or other.error_rate,
            latency_ms=self.latency_ms or other.latency_ms,
            arguments=ArgumentLimits(
                max_bytes=self.arguments.max_bytes or other.arguments.max_bytes,
                shapes=other.arguments.shapes if self.arguments.shapes is None else self.arguments.shapes,
            ),
            argument_values={**other.argument_values, **self.argument_values},
            result_max_bytes=self.result_max_bytes or other.result_max_bytes,
            result_shapes=other.result_shapes if self.result_shapes is None else self.result_shapes,
        )


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """The limits of one session over all tools. A session is a pair (enforcement_key, session_id), with the tenant if
    one is known. `duration_s` lasts from the start of the first call to the end of the last."""

    calls: Limit | None = None
    cost_usd: Limit | None = None
    duration_s: Limit | None = None
    distinct_tools: Limit | None = None

    def backed_by(self, other: SessionLimits) -> SessionLimits:
        """Returns these limits, with the other's in place of missing ones."""
        return SessionLimits(
            calls=self.calls or other.calls,
            cost_usd=self.cost_usd or other.cost_usd,
            duration_s=self.duration_s or other.duration_s,
            distinct_tools=self.distinct_tools or other.distinct_tools,
        )


@dataclass(frozen=True, slots=True)
class KeyLimits:
    """The limits of one enforcement key (with the tenant if one is known), over all of its sessions."""

    calls_per_hour: Limit | None = None

    def backed_by(self, other: KeyLimits) -> KeyLimits:
        """Returns these limits, with the other's in place of missing ones."""
        return KeyLimits(calls_per_hour=self.calls_per_hour or other.calls_per_hour)


@dataclass(frozen=True, slots=True)
class GroupLimits:
    """The limits of one tenant or role. They replace those of everybody, number by number."""

    session: SessionLimits = SessionLimits()
    key: KeyLimits = KeyLimits()
    tools: Mapping[str, ToolLimits] = field(default_factory=dict)

    def of(self, tool: str) -> ToolLimits:
        """Returns the limits of a tool: its own, else those of `*`. Names are matched exactly."""
        return self.tools.get(tool, ToolLimits()).backed_by(self.tools.get(ANY_TOOL, ToolLimits()))


_Set = TypeVar("_Set", SessionLimits, KeyLimits, ToolLimits)


def _lowest(found: Sequence[_Set], none: _Set) -> _Set:
    """Returns the first set of limits, each number replaced by a lower one of the others."""
    first = found[0] if found else none
    for other in found[1:]:
        lower = {}
        for each in fields(first):
            mine, others = getattr(first, each.name), getattr(other, each.name)
            if isinstance(others, Limit) and (mine is None or others.value < mine.value):
                lower[each.name] = others
        first = replace(first.backed_by(other), **lower)  # type: ignore[arg-type]  # a set is backed by its own kind
    return first


@dataclass(frozen=True, slots=True)
class Succession:
    """A usual sequence: `then` is the next tool after a share of the `n` calls of `after` that have a next call."""

    after: str
    then: str
    share: float
    n: int


@dataclass(frozen=True, slots=True)
class Excluded:
    """A session that the baseline left out, or that a policy cut, and the reason."""

    session: str
    why: str


@dataclass(frozen=True, slots=True)
class Drift:
    """What the predictions were worth in time: numbers from the `first` sessions, judged on the `last` ones.

    `numbers` counts those that were judged, `held` those whose cuts lay in the predicted 90 % interval, and
    `cut_more` those that cut more sessions than predicted.
    """

    first: int
    last: int
    numbers: int
    held: int
    cut_more: int = 0


@dataclass(frozen=True, slots=True)
class Baseline:
    """The traffic that the numbers come from. `sessions` and `calls` count all of it, the excluded sessions too.

    `first` and `last` are the UTC days (ISO 8601) of the first and the last call; in the file: `from` and `to`.
    `counted_on` are the columns whose values make a session, and on which a limit has to be counted.
    `excluded_share` is the share of the sessions that was left out. `censored` are sessions with a denied call.
    `more_excluded` and `more_censored` count those that the lists do not name. `run` is the label of the traffic,
    if only a labelled run was learned from.
    """

    first: str
    last: str
    sessions: int
    calls: int
    server: str | None = None
    run: str | None = None
    strategy: Strategy | None = None
    cut_rate: float | None = None
    factor_calls: float | None = None
    counted_on: tuple[str, ...] = ()
    drift: Drift | None = None
    excluded_share: float | None = None
    excluded: tuple[Excluded, ...] = ()
    more_excluded: int = 0
    censored: tuple[Excluded, ...] = ()
    more_censored: int = 0


@dataclass(frozen=True, slots=True)
class Limits:
    """A limits file."""

    baseline: Baseline | None = None
    session: SessionLimits = SessionLimits()
    tools: Mapping[str, ToolLimits] = field(default_factory=dict)
    key: KeyLimits = KeyLimits()
    tenants: Mapping[str, GroupLimits] = field(default_factory=dict)
    roles: Mapping[str, GroupLimits] = field(default_factory=dict)
    sequences: tuple[Succession, ...] = ()

    def of(self, tool: str) -> ToolLimits:
        """Returns the limits of a tool: its own, else those of `*`. Names are matched exactly."""
        return self.tools.get(tool, ToolLimits()).backed_by(self.tools.get(ANY_TOOL, ToolLimits()))

    def session_of(self, tenant: str | None, role: str | None) -> SessionLimits:
        """Returns the limits of a caller's session: of its tenant and role (the lower of both), else everybody's."""
        return _lowest([group.session for group in self.groups_of(tenant, role)], SessionLimits()).backed_by(
            self.session
        )

    def key_of(self, tenant: str | None, role: str | None) -> KeyLimits:
        """Returns the limits of a caller over all of its sessions, chosen as `session_of` does."""
        return _lowest([group.key for group in self.groups_of(tenant, role)], KeyLimits()).backed_by(self.key)

    def tool_of(self, tool: str, tenant: str | None, role: str | None) -> ToolLimits:
        """Returns the limits of a caller's calls of a tool, chosen as `session_of` does. Shapes and argument values are
        the tenant's, else the role's, else everybody's."""
        found = [group.of(tool) for group in self.groups_of(tenant, role)]
        return _lowest(found, ToolLimits()).backed_by(self.of(tool)) if found else self.of(tool)

    def groups_of(self, tenant: str | None, role: str | None) -> list[GroupLimits]:
        """Returns the limits of a caller's tenant and role, if the file has any. If both have a number, both hold."""
        return [group for _, group in self.named_groups_of(tenant, role)]

    def named_groups_of(self, tenant: str | None, role: str | None) -> list[tuple[str, GroupLimits]]:
        """Returns the same with their paths in the file."""
        found = [(f"tenants.{tenant}", self.tenants[tenant])] if tenant is not None and tenant in self.tenants else []
        return found + ([(f"roles.{role}", self.roles[role])] if role is not None and role in self.roles else [])

    @property
    def bounds_cost(self) -> bool:
        """Whether the file has a number for the cost of any session."""
        groups = (self.session, *(group.session for group in (*self.tenants.values(), *self.roles.values())))
        return any(session.cost_usd is not None for session in groups)

    def lists(self, tool: str) -> bool:
        """Returns False for a tool that the baseline never saw. A file written by hand need not list every tool."""
        return self.baseline is None or tool in self.tools
