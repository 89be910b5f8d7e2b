"""The statistics behind a limit: quantiles, and what further sessions will do. Pure: numbers in, numbers out.

The prediction is distribution-free. Of n past sessions r went over a limit; how many of the next m will? Nothing is
assumed but that past and further sessions come in no particular order (they are exchangeable).

- Where the limit is at or above the (r+1)-th largest past value, the count is at most that over the (r+1)-th
  largest value, which is BetaBinomial(m, r+1, n-r); where it is below the r-th largest, it is at least
  BetaBinomial(m, r, n-r+1). This is the law of exceedances: Wilks (1942), "Statistical prediction with special
  reference to the problem of tolerance limits", Ann. Math. Stat. 13; Gumbel and von Schelling (1950), "The
  distribution of the number of exceedances", Ann. Math. Stat. 21. It holds too for a limit that is computed from
  the past maximum, such as three times it.
- The same two distributions give the limits for a fixed limit and a binomial count: Thatcher (1964),
  "Relationships between Bayesian and confidence limits for predictions", J. R. Stat. Soc. B 26.

Ties and steps make the interval wider than it has to be, never narrower.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from functools import lru_cache

FURTHER = 1000
"""Sessions that a prediction speaks of."""

TAIL = 0.05
"""Left out on each side of a prediction: it is a 90 % interval."""


def quantile(ordered: Sequence[float], q: float) -> float:
    """The q-quantile of values in ascending order, by linear interpolation: SQL's percentile_cont."""
    place = q * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def further_over(n: int, r: int, m: int = FURTHER) -> tuple[int, int]:
    """How many of m further sessions go over a limit that r of n past ones went over: a 90 % prediction interval."""
    if not 0 <= r <= n or m < 0:
        raise ValueError(f"{r} of {n}")
    low = _count_at(m, r, n - r + 1, TAIL) if r > 0 else 0
    high = _count_at(m, r + 1, n - r, 1 - TAIL) if r < n else m
    return low, high


def share_bound(n: int, tail: float = TAIL) -> float:
    """The largest share of sessions that may lie beyond the maximum of n, with confidence 1 - tail.

    The share beyond the maximum is Beta(1, n), so it is above p with probability (1 - p)^n. Wilks (1941),
    "Determination of sample sizes for setting tolerance limits", Ann. Math. Stat. 12.
    """
    return float(1 - tail ** (1 / n))


def sessions_for_share(share: float, tail: float = TAIL) -> int:
    """The smallest n whose maximum has at most that share of sessions beyond it, with confidence 1 - tail."""
    return math.ceil(math.log(tail) / math.log1p(-share))


def calls_for_quantile(q: float, tail: float = TAIL) -> int:
    """The smallest n whose maximum is at or above the true q-quantile with confidence 1 - tail: q^n <= tail.

    With fewer values a sample says nothing about how large that quantile may be.
    """
    return math.ceil(math.log(tail) / math.log(q))


@lru_cache(maxsize=4096)
def _count_at(m: int, a: int, b: int, q: float) -> int:
    """The q-quantile of BetaBinomial(m, a, b) for whole a, b >= 1: the smallest k with P(K <= k) >= q.

    The probabilities are built outwards from the mode by their ratios and then divided by their sum. So none is
    ever the small difference of large logarithms, and what underflows is too small to matter, at any n.
    """
    weights = [0.0] * (m + 1)
    mode = min(m, max(0, round(m * (a - 1) / (a + b - 2)))) if a + b > 2 else 0
    weights[mode] = 1.0
    for k in range(mode, m):
        weights[k + 1] = weights[k] * (m - k) * (k + a) / ((k + 1) * (m - k - 1 + b))
    for k in range(mode, 0, -1):
        weights[k - 1] = weights[k] * k * (m - k + b) / ((m - k + 1) * (k - 1 + a))
    goal = q * math.fsum(weights)
    reached = 0.0
    for k, weight in enumerate(weights):
        reached += weight
        if reached >= goal:
            return k
    return m


def allowed_over(n: int, rate: float) -> int | None:
    """How many of n past sessions may go over a limit so that at most `rate` of FURTHER ones are predicted to.

    The number depends on n alone and not on what was observed, so the prediction still holds for the limit that is
    then chosen by it: the next smaller order statistic. None if even the largest value is not enough.
    """
    most = math.floor(rate * FURTHER + 1e-9)
    if n < 1 or further_over(n, 0)[1] > most:
        return None
    low, high = 0, min(n - 1, math.ceil(rate * n))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if further_over(n, middle)[1] <= most else (low, middle - 1)
    return low


def sessions_for_rate(rate: float) -> int:
    """The smallest n whose maximum is predicted to be exceeded by at most `rate` of FURTHER sessions."""
    high = 1
    while allowed_over(high, rate) is None:
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if allowed_over(middle, rate) is None else (low, middle)
    return high


def difference_p(one: Sequence[float], other: Sequence[float]) -> float:
    """How probable so different two samples are if they come alike: an upper bound.

    The two-sample Kolmogorov-Smirnov statistic with the bound e × exp(-2 λ²), λ² = D² × n m / (n + m): Wei and Dudley
    (2012), "Two-sample Dvoretzky-Kiefer-Wolfowitz inequalities", Stat. Probab. Lett. 82. Ties make it smaller.
    """
    left, right = sorted(one), sorted(other)
    distance = max(
        abs(bisect_right(left, value) / len(left) - bisect_right(right, value) / len(right)) for value in set(left)
    )
    below = max(
        abs(bisect_left(left, value) / len(left) - bisect_left(right, value) / len(right)) for value in set(left)
    )
    distance = max(distance, below)
    return min(1.0, math.e * math.exp(-2 * distance**2 * len(left) * len(right) / (len(left) + len(right))))
