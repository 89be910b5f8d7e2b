"""Derives limits from samples: each number by its rule, with its evidence. Reads nothing and writes nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from mcpobs.baseline import samples as sampling
from mcpobs.baseline.evidence import (
    calls_for_quantile,
    sessions_for_share,
)
from mcpobs.baseline.groups import groups
from mcpobs.baseline.learned import Learned
from mcpobs.baseline.numbers import numbers_of
from mcpobs.baseline.rules import FACTOR_LATENCY, MIN_SESSIONS, Rules, limit_from, plain, tidy
from mcpobs.baseline.samples import Sample, Samples
from mcpobs.baseline.traffic import Following, Latency
from mcpobs.limits import paths
from mcpobs.limits.model import (
    ANY_TOOL,
    ArgumentLimits,
    Baseline,
    Drift,
    Evidence,
    GroupLimits,
    Limit,
    Limits,
    Succession,
    ToolLimits,
)
from mcpobs.limits.paths import Path

MIN_CALLS = 60
"""The largest of so many calls is above the true 95th percentile with 95 % confidence: 59 would do."""

LISTED = 20  # excluded sessions that the file names
SEQUENCES = 20  # that the file names
MIN_SHARE = 0.1  # a tool that follows another less often is not usual

assert sessions_for_share(0.10) <= MIN_SESSIONS
assert calls_for_quantile(0.95) <= MIN_CALLS


@dataclass(slots=True)
class Derivation:
    """The limits, and the numbers that were refused: by path, how many values there are."""

    limits: Limits
    refused: dict[Path, int] = field(default_factory=dict)


def derive(learned: Learned, rules: Rules) -> Limits:
    """The limits. A number without enough behind it is not there, and that of `*` holds in its place."""
    return derivation(learned, rules).limits


def derivation(learned: Learned, rules: Rules) -> Derivation:
    """Derives the limits, and counts the values of each refused number."""
    found = samples_of(learned)
    numbers, refused = numbers_of(found, rules)
    numbers |= _budgets(learned.latencies)
    everybody = paths.group(numbers, _tools(learned))
    limits = Limits(
        baseline=baseline_of(learned, rules),
        session=everybody.session,
        key=everybody.key,
        tools=everybody.tools,
        tenants=_groups(learned, "tenants", found, rules),
        roles=_groups(learned, "roles", found, rules),
        sequences=_sequences(learned.followings),
    )
    return Derivation(limits, refused)


def samples_of(learned: Learned) -> dict[Path, Sample]:
    """The samples of all numbers but latencies. A name that the server always refused is none of its tools."""
    kept = {session.pair for session in (*learned.normal, *learned.cut)}
    others = [session for session in learned.sessions if session.pair not in kept]
    found = sampling.of_sessions(learned.normal, others, learned.cut, learned.price)
    hours = learned.hours
    found |= sampling.of_hours(hours.normal, hours.odd, hours.cut)
    known = _tools(learned)
    return {path: sample for path, sample in found.items() if path[0] != "tools" or path[1] in known}


def _tools(learned: Learned) -> dict[str, ToolLimits]:
    """The tools, with their shapes and no number."""
    taken = {use.tool for session in learned.sessions for use in session.uses if use.taken}
    names = {tool for tool in taken if tool is not None and tool != ANY_TOOL} | {ANY_TOOL}
    return {
        tool: ToolLimits(
            arguments=ArgumentLimits(None, learned.shapes.get(tool)), result_shapes=learned.forms.get(tool)
        )
        for tool in names
    }


def _budgets(latencies: Iterable[Latency]) -> dict[Path, Limit]:
    enough = [latency for latency in latencies if latency.calls >= MIN_CALLS and latency.p95_ms > 0]
    own = (one for one in enough if one.tool != ANY_TOOL)
    budgets: dict[Path, Limit] = {("tools", one.tool, "latency_ms"): _budget(one) for one in own}
    if enough:
        slowest = max(enough, key=lambda latency: latency.p95_ms)
        budgets["tools", ANY_TOOL, "latency_ms"] = _budget(slowest, " of the slowest tool")
    return budgets


def _budget(latency: Latency, of: str = "") -> Limit:
    evidence = Evidence(
        rule=f"{FACTOR_LATENCY} × p95{of}", p50=tidy(latency.p50_ms), p95=tidy(latency.p95_ms), n=latency.calls
    )
    limit = limit_from(("latency_ms",), evidence, 1)
    assert limit is not None
    return Limit(limit, evidence)


def _groups(learned: Learned, section: str, everybody: Samples, rules: Rules) -> dict[str, GroupLimits]:
    """The tenants or roles whose traffic differs, each with the numbers in which it does."""
    found = {}
    for name, mine in groups(learned, section, everybody, rules).items():
        numbers, _ = numbers_of(mine, rules)
        if numbers:
            found[name] = paths.group(numbers)
    return found


def _sequences(followings: Iterable[Following]) -> tuple[Succession, ...]:
    usual = [one for one in followings if one.calls >= MIN_SHARE * one.followed]
    return tuple(Succession(one.after, one.then, tidy(one.calls / one.followed), one.followed) for one in usual)[
        :SEQUENCES
    ]


def baseline_of(learned: Learned, rules: Rules, drift: Drift | None = None) -> Baseline:
    """What the file says of the traffic."""
    counted_on: tuple[str, ...] = ("enforcement_key", "session_id")
    if any(session.pair.tenant is not None for session in learned.sessions):
        counted_on = ("tenant", *counted_on)
    return Baseline(
        first=_day(min(session.first_unix_nano for session in learned.sessions)),
        last=_day(max(session.last_unix_nano for session in learned.sessions)),
        sessions=len(learned.sessions),
        calls=sum(session.calls for session in learned.sessions),
        server=learned.server,
        run=learned.run,
        strategy=rules.strategy,
        cut_rate=rules.cut_rate if rules.strategy == "cut-rate" else None,
        factor_calls=plain(rules.factor_calls) if rules.strategy == "seed" else None,
        counted_on=counted_on,
        drift=drift,
        excluded_share=round(learned.left_out.share, 4) if learned.left_out is not None and learned.excluded else None,
        excluded=tuple(learned.excluded[:LISTED]),
        more_excluded=max(0, len(learned.excluded) - LISTED),
        censored=tuple(learned.censored[:LISTED]),
        more_censored=max(0, len(learned.censored) - LISTED),
    )


def _day(unix_nano: int) -> str:
    return datetime.fromtimestamp(unix_nano // 1_000_000_000, UTC).strftime("%Y-%m-%d")
