"""The rules by which a limit follows from its evidence. Reads no traffic.

A limit follows from what its own line in the file shows (and the factor in `baseline`): so a limit that does not is a
person's, and `mcpobs baseline --update` leaves it alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from mcpobs.limits.model import ERROR_RATE_CALLS, Evidence, Limit, Strategy
from mcpobs.limits.paths import Path

MIN_SESSIONS = 30
"""With so many, at most 9.5 % of sessions lie beyond the largest (95 % confidence): 29 would do for 10 %."""

FACTOR_CALLS = 3.0
FACTOR_COST = 4.0
FACTOR_LATENCY = 3
MIN_SIZE_BYTES = 1024  # a tighter ceiling protects nothing, and cuts the first longer question
MIN_LENGTH = 63
MIN_ITEMS = 15
LARGEST = 2**53


@dataclass(frozen=True, slots=True)
class Rules:
    """The strategy and its factors."""

    factor_calls: float = FACTOR_CALLS
    factor_cost: float = FACTOR_COST
    min_sessions: int = MIN_SESSIONS
    strategy: Strategy = "seed"
    cut_rate: float | None = None


def limit_from(path: Path, evidence: Evidence, factor_calls: float) -> float | None:
    """The limit that follows from the evidence of a number; None if none does.

    By a cut rate it is the order statistic. Else a count or a duration is `factor_calls` × the largest, a cost
    `factor` × the mean, a size the power of two from twice the largest up, and an error rate has `factor_calls` × the
    odds of the largest, so that it stays below 1. No limit is below the value at which a policy cut sessions.
    """
    if path[-1] == "latency_ms":
        return None if not evidence.p95 else three_digits_up(FACTOR_LATENCY * evidence.p95)
    limit: float | None
    if evidence.order_statistic is not None:
        limit = evidence.order_statistic
    elif path[-1] == "cost_usd":
        limit = (
            None
            if evidence.mean is None or evidence.factor is None
            else usd(up(evidence.factor * round(evidence.mean * 1_000_000)))
        )
    elif path[-1] == "min":
        limit = None if evidence.observed_min is None else -_number(-evidence.observed_min)
    else:
        limit = None if evidence.observed_max is None else _RULES[path[-1]](evidence.observed_max, factor_calls)
    if limit is not None and evidence.cut_at is not None:
        limit = max(limit, evidence.cut_at)
    return limit if limit is None or abs(limit) <= LARGEST else None


def follows(path: Path, limit: Limit, factor_calls: float | None) -> bool:
    """Whether a limit is the one that follows from its evidence, and so was learned and not changed by a person."""
    return limit.value == limit_from(path, limit.evidence, FACTOR_CALLS if factor_calls is None else factor_calls)


def _count(largest: float, factor: float) -> float:
    return up(factor * largest)


def _duration(largest: float, factor: float) -> float:
    return three_digits_up(factor * largest) if largest > 0 else 0


def _error_rate(largest: float, factor: float) -> float:
    """One failure in a short session is always allowed."""
    share = max(largest, 1 / ERROR_RATE_CALLS)
    return math.ceil(round(1000 * factor * share / (1 + (factor - 1) * share), 6)) / 1000


def _size(largest: float, factor: float) -> float:
    """The power of two from twice the largest up: it moves seldom, and then it is worth a look."""
    return max(MIN_SIZE_BYTES, 1 << max(0, 2 * int(largest) - 1).bit_length())


def _length(largest: float, factor: float) -> float:
    return max(MIN_LENGTH, 2 * int(largest) + 1)


def _items(largest: float, factor: float) -> float:
    return max(MIN_ITEMS, 2 * int(largest) + 1)


def _number(largest: float, factor: float = 1) -> float:
    """The end of the next range of a factor of four."""
    return 4 * int(largest) + 3 if largest else 0


_RULES: dict[str, Callable[[float, float], float]] = {
    "calls": _count,
    "distinct_tools": _count,
    "calls_per_session": _count,
    "calls_per_hour": _count,
    "duration_s": _duration,
    "error_rate": _error_rate,
    "max_bytes": _size,
    "max_length": _length,
    "max_items": _items,
    "max": _number,
}


def up(value: float) -> int:
    """Rounded up, and not by what a computer adds: 4 × 0.1 is a little more than 0.4 to it."""
    return math.ceil(round(value, 6))


def three_digits_up(value: float) -> float:
    step = 10.0 ** (math.floor(math.log10(value)) - 2)
    return tidy(math.ceil(round(value / step, 6)) * step)


def tidy(value: float) -> float:
    """Four significant digits, and no `.0`."""
    short = float(f"{value:.4g}") if abs(value) < 10_000 else round(value)
    return int(short) if short == int(short) else short


def usd(microusd: float) -> float:
    dollars = round(microusd / 1_000_000, 6)
    return plain(dollars)


def plain(value: float) -> float:
    """No `.0`."""
    return int(value) if value == int(value) else value
