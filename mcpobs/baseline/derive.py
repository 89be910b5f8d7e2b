"""Derives limits from sessions: each number by its rule, with its evidence. Reads nothing and writes nothing."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from mcpobs.baseline.evidence import calls_for_quantile, further_over, quantile, sessions_for_share
from mcpobs.baseline.traffic import Latency, Price, Session, Use
from mcpobs.limits.model import (
    ANY_TOOL,
    ArgumentLimits,
    Baseline,
    Evidence,
    Excluded,
    Limit,
    Limits,
    SessionLimits,
    ToolLimits,
)

MIN_SESSIONS = 30
"""With so many, at most 9.5 % of sessions lie beyond the largest (95 % confidence): 29 would do for 10 %."""

MIN_CALLS = 60
"""The largest of so many calls is above the true 95th percentile with 95 % confidence: 59 would do."""

FACTOR_LATENCY = 3
MIN_SIZE_BYTES = 1024  # a tighter ceiling protects nothing, and cuts the first longer question
LISTED = 20  # excluded sessions that the file names

assert sessions_for_share(0.10) <= MIN_SESSIONS
assert calls_for_quantile(0.95) <= MIN_CALLS


@dataclass(frozen=True, slots=True)
class Rules:
    """How numbers follow from what was observed."""

    factor_calls: float = 3
    factor_cost: float = 4
    min_sessions: int = MIN_SESSIONS


@dataclass(frozen=True, slots=True)
class Learned:
    """What the numbers are learned from. `latencies` and `shapes` are of the normal sessions."""

    sessions: Sequence[Session]
    normal: Sequence[Session]
    excluded: Sequence[Excluded]
    latencies: Sequence[Latency]
    shapes: Mapping[str, tuple[str, ...]]
    price: Price
    server: str | None = None


def derive(learned: Learned, rules: Rules) -> Limits:
    """The limits. A number without enough behind it is not there, and that of `*` holds in its place."""
    sessions, normal = learned.sessions, learned.normal
    latencies = {latency.tool: latency for latency in learned.latencies if latency.calls >= MIN_CALLS}
    everywhere, normally = _by_tool(sessions), _by_tool(normal)
    tools = {ANY_TOOL: _any_tool(sessions, normal, learned.latencies, rules)}
    for tool, uses in everywhere.items():
        if tool != ANY_TOOL and any(use.taken for use in uses):  # `*` is no name that a limit could have
            tools[tool] = _tool(uses, normally.get(tool, []), latencies.get(tool), learned.shapes.get(tool), rules)
    return Limits(
        baseline=_baseline(learned),
        session=SessionLimits(
            calls=_ceiling([s.calls for s in sessions], [s.calls for s in normal], _times(rules.factor_calls)),
            cost_usd=_cost(sessions, normal, learned.price, rules.factor_cost),
        ),
        tools=tools,
    )


def _baseline(learned: Learned) -> Baseline:
    first = min(use.first_unix_nano for session in learned.sessions for use in session.uses)
    last = max(session.last_unix_nano for session in learned.sessions)
    return Baseline(
        first=_day(first),
        last=_day(last),
        sessions=len(learned.sessions),
        calls=sum(session.calls for session in learned.sessions),
        server=learned.server,
        excluded=tuple(learned.excluded[:LISTED]),
        more_excluded=max(0, len(learned.excluded) - LISTED),
    )


def _tool(
    uses: Sequence[Use],
    normal: Sequence[Use],
    latency: Latency | None,
    shapes: tuple[str, ...] | None,
    rules: Rules,
) -> ToolLimits:
    if len(normal) < rules.min_sessions:
        return ToolLimits(latency_ms=_budget(latency))
    return ToolLimits(
        calls_per_session=_ceiling([u.calls for u in uses], [u.calls for u in normal], _times(rules.factor_calls)),
        latency_ms=_budget(latency),
        arguments=ArgumentLimits(
            _ceiling([u.args_bytes for u in uses], [u.args_bytes for u in normal], _size, rules.min_sessions), shapes
        ),
        result_max_bytes=_ceiling(
            [u.result_bytes for u in uses], [u.result_bytes for u in normal], _size, rules.min_sessions
        ),
    )


def _any_tool(
    sessions: Sequence[Session], normal: Sequence[Session], latencies: Sequence[Latency], rules: Rules
) -> ToolLimits:
    """The numbers for a tool that has none of its own: of each session its most used tool, its largest arguments
    and result; of the server its slowest tool. So no tool that was seen is cut by them, however rare it is."""

    def most(chosen: Sequence[Session], measure: Callable[[Use], int | None]) -> list[int | None]:
        values = [[value for use in session.uses if (value := measure(use)) is not None] for session in chosen]
        return [max(found, default=None) for found in values]

    def ceiling(measure: Callable[[Use], int | None], rule: Callable[[int], int]) -> Limit | None:
        return _ceiling(most(sessions, measure), most(normal, measure), rule, rules.min_sessions)

    enough = [latency for latency in latencies if latency.calls >= MIN_CALLS]
    slowest = max(enough, key=lambda latency: latency.p95_ms, default=None)
    return ToolLimits(
        calls_per_session=ceiling(lambda use: use.calls, _times(rules.factor_calls)),
        latency_ms=_budget(slowest, " of the slowest tool"),
        arguments=ArgumentLimits(ceiling(lambda use: use.args_bytes, _size)),
        result_max_bytes=ceiling(lambda use: use.result_bytes, _size),
    )


def _ceiling(
    everywhere: Iterable[int | None], normal: Iterable[int | None], rule: Callable[[int], int], at_least: int = 1
) -> Limit | None:
    """A number from the largest value of the normal sessions; None where too few have one."""
    values = sorted(value for value in normal if value is not None)
    if len(values) < at_least:
        return None
    limit = rule(values[-1])
    return Limit(limit, _evidence(values, limit, everywhere, observed_max=values[-1]))


def _evidence(
    values: Sequence[int], limit: int, everywhere: Iterable[int | None], observed_max: float | None = None
) -> Evidence:
    return Evidence(
        observed_max=observed_max,
        p50=_tidy(quantile(values, 0.5)),
        p95=_tidy(quantile(values, 0.95)),
        n=len(values),
        would_have_cut=sum(1 for value in everywhere if value is not None and value > limit),
        next_1000_cut=further_over(len(values), sum(1 for value in values if value > limit)),
    )


def _cost(sessions: Sequence[Session], normal: Sequence[Session], price: Price, factor: float) -> Limit | None:
    """None where nothing is known to cost anything."""
    values = sorted(session.cost_microusd(price) for session in normal)
    mean = sum(values) / len(values)
    if mean == 0:
        return None
    limit = _up(factor * mean)
    found = _evidence(values, limit, [session.cost_microusd(price) for session in sessions])
    return Limit(
        _usd(limit),
        Evidence(
            mean=_usd(mean),
            factor=_tidy(factor),
            p50=_usd(quantile(values, 0.5)),
            p95=_usd(quantile(values, 0.95)),
            n=found.n,
            would_have_cut=found.would_have_cut,
            next_1000_cut=found.next_1000_cut,
        ),
    )


def _budget(latency: Latency | None, of: str = "") -> Limit | None:
    if latency is None or latency.p95_ms <= 0:
        return None
    return Limit(
        _three_digits_up(FACTOR_LATENCY * latency.p95_ms),
        Evidence(
            rule=f"{FACTOR_LATENCY} × p95{of}", p50=_tidy(latency.p50_ms), p95=_tidy(latency.p95_ms), n=latency.calls
        ),
    )


def _by_tool(sessions: Iterable[Session]) -> dict[str, list[Use]]:
    found: dict[str, list[Use]] = {}
    for session in sessions:
        for use in session.uses:
            if use.tool is not None:
                found.setdefault(use.tool, []).append(use)
    return found


def _times(factor: float) -> Callable[[int], int]:
    return lambda largest: _up(factor * largest)


def _size(largest: int) -> int:
    """The power of two from twice the largest up: it moves seldom, and then it is worth a look."""
    return max(MIN_SIZE_BYTES, 1 << max(0, 2 * largest - 1).bit_length())


def _up(value: float) -> int:
    return math.ceil(round(value, 6))  # 4 × 0.1 is a little more than 0.4 to a computer


def _three_digits_up(value: float) -> float:
    step = 10.0 ** (math.floor(math.log10(value)) - 2)
    return _tidy(math.ceil(round(value / step, 6)) * step)


def _tidy(value: float) -> float:
    """Four significant digits, and no `.0`."""
    short = float(f"{value:.4g}") if abs(value) < 10_000 else round(value)
    return int(short) if short == int(short) else short


def _usd(microusd: float) -> float:
    usd = round(microusd / 1_000_000, 6)
    return int(usd) if usd == int(usd) else usd


def _day(unix_nano: int) -> str:
    return datetime.fromtimestamp(unix_nano // 1_000_000_000, UTC).strftime("%Y-%m-%d")
