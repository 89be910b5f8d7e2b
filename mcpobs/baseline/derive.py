"""Derives limits from sessions: each number by its rule, with its evidence. Reads nothing and writes nothing."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from mcpobs.baseline.evidence import calls_for_quantile, further_over, quantile, sessions_for_share
from mcpobs.baseline.traffic import Latency, Price, Session
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


@dataclass(slots=True)
class _Values:
    """What sessions did with one tool: a value a session, where it has one."""

    calls: list[int] = field(default_factory=list)
    args_bytes: list[int] = field(default_factory=list)
    result_bytes: list[int] = field(default_factory=list)
    taken: bool = False


def derive(learned: Learned, rules: Rules) -> Limits:
    """The limits. A number without enough behind it is not there, and that of `*` holds in its place."""
    kept = {session.pair for session in learned.normal}
    others = [session for session in learned.sessions if session.pair not in kept]
    normal, odd = _by_tool(learned.normal), _by_tool(others)
    latencies = {latency.tool: latency for latency in learned.latencies if latency.calls >= MIN_CALLS}
    slowest = max(latencies.values(), key=lambda latency: latency.p95_ms, default=None)
    tools = {}
    for tool in normal.keys() | odd.keys():
        values, beside = normal.get(tool, _Values()), odd.get(tool, _Values())
        if tool == ANY_TOOL:
            tools[tool] = _tool(values, beside, _budget(slowest, " of the slowest tool"), None, rules)
        elif values.taken or beside.taken:  # a name that the server always refused is none of its tools
            budget = _budget(latencies.get(tool))
            tools[tool] = _tool(values, beside, budget, learned.shapes.get(tool), rules)
    return Limits(
        baseline=_baseline(learned),
        session=SessionLimits(
            calls=_ceiling([s.calls for s in learned.normal], [s.calls for s in others], _times(rules.factor_calls), 1),
            cost_usd=_cost(learned.normal, others, learned.price, rules.factor_cost),
        ),
        tools=tools,
    )


def _by_tool(sessions: Iterable[Session]) -> dict[str, _Values]:
    """The values of each tool, and as `*` those of each session's most used tool, largest arguments and result:
    by them no tool that was seen is cut, however rare it is."""
    found = {ANY_TOOL: _Values()}
    most = found[ANY_TOOL]
    for session in sessions:
        most_calls, most_args, most_result = 0, -1, -1
        for use in session.uses:
            tool, calls, args, result = use.tool, use.calls, use.args_bytes, use.result_bytes
            if tool is None or tool == ANY_TOOL:  # the latter is no name that a limit of its own could have
                continue
            values = found.get(tool)
            if values is None:
                values = found[tool] = _Values()
            values.taken = values.taken or use.taken > 0
            values.calls.append(calls)
            if calls > most_calls:
                most_calls = calls
            if args is not None:
                values.args_bytes.append(args)
                if args > most_args:
                    most_args = args
            if result is not None:
                values.result_bytes.append(result)
                if result > most_result:
                    most_result = result
        if most_calls > 0:
            most.calls.append(most_calls)
        if most_args >= 0:
            most.args_bytes.append(most_args)
        if most_result >= 0:
            most.result_bytes.append(most_result)
    return found


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
    normal: _Values, odd: _Values, budget: Limit | None, shapes: tuple[str, ...] | None, rules: Rules
) -> ToolLimits:
    least = rules.min_sessions
    return ToolLimits(
        calls_per_session=_ceiling(normal.calls, odd.calls, _times(rules.factor_calls), least),
        latency_ms=budget,
        arguments=ArgumentLimits(_ceiling(normal.args_bytes, odd.args_bytes, _size, least), shapes),
        result_max_bytes=_ceiling(normal.result_bytes, odd.result_bytes, _size, least),
    )


def _ceiling(normal: Sequence[int], odd: Sequence[int], rule: Callable[[int], int], least: int) -> Limit | None:
    """A number from the largest value of the normal sessions; None where too few have one."""
    if len(normal) < least:
        return None
    ordered = sorted(normal)
    limit = rule(ordered[-1])
    evidence = _evidence(ordered, odd, limit, _tidy)
    return Limit(limit, replace(evidence, observed_max=ordered[-1]))


def _cost(normal: Sequence[Session], others: Sequence[Session], price: Price, factor: float) -> Limit | None:
    """None where nothing is known to cost anything."""
    ordered = sorted(session.cost_microusd(price) for session in normal)
    mean = sum(ordered) / len(ordered)
    if mean == 0:
        return None
    limit = _up(factor * mean)
    evidence = _evidence(ordered, [session.cost_microusd(price) for session in others], limit, _usd)
    return Limit(_usd(limit), replace(evidence, mean=_usd(mean), factor=_tidy(factor)))


def _evidence(ordered: Sequence[int], odd: Sequence[int], limit: int, shown: Callable[[float], float]) -> Evidence:
    over = len(ordered) - bisect_right(ordered, limit)
    return Evidence(
        p50=shown(quantile(ordered, 0.5)),
        p95=shown(quantile(ordered, 0.95)),
        n=len(ordered),
        would_have_cut=over + sum(value > limit for value in odd),
        next_1000_cut=further_over(len(ordered), over),
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
