"""What a number claims of further sessions is true: by exact arithmetic, and by playing it out."""

from __future__ import annotations

import random
from fractions import Fraction
from math import comb

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcpobs.baseline.evidence import (
    _count_at,
    calls_for_quantile,
    further_over,
    quantile,
    sessions_for_share,
    share_bound,
)
from mcpobs.lake.engine import connect


def _exact(m: int, a: int, b: int, q: Fraction) -> int:
    """The quantile of BetaBinomial(m, a, b) in whole numbers."""
    total, reached = comb(m + a + b - 1, m), 0
    for k in range(m + 1):
        reached += comb(k + a - 1, k) * comb(m - k + b - 1, m - k)
        if Fraction(reached, total) >= q:
            return k
    raise AssertionError


@settings(deadline=None)
@given(st.integers(1, 200), st.integers(1, 200), st.integers(1, 400), st.integers(1, 99))
def test_quantiles_of_the_beta_binomial_are_exact(m: int, a: int, b: int, percent: int):
    assert _count_at(m, a, b, percent / 100) == _exact(m, a, b, Fraction(percent, 100))


@pytest.mark.parametrize(
    ("n", "r", "interval"),
    [(1203, 0, (0, 3)), (1203, 3, (0, 8)), (812, 0, (0, 5)), (30, 0, (0, 96)), (10_000_000, 0, (0, 0))],
)
def test_the_interval_for_a_thousand_further_sessions(n: int, r: int, interval: tuple[int, int]):
    """812 → 5: that at most 4 of 1,000 lie beyond the maximum of 812 has probability 0.949."""
    assert further_over(n, r) == interval


def test_the_interval_is_stable_for_ten_million_sessions():
    low, high = further_over(10_000_000, 5_000_000)
    assert (low, high) == (474, 526)  # Binomial(1000, 1/2), whose 5 % and 95 % points these are
    assert further_over(10_000_000, 9_999_999) == (1000, 1000)


def test_a_limit_that_all_went_over_says_nothing_of_the_most():
    assert further_over(10, 10) == (740, 1000)
    assert further_over(0, 0) == (0, 1000)


def test_more_sessions_or_fewer_cuts_never_raise_the_interval():
    highs = [further_over(n, 0)[1] for n in range(1, 400)]
    assert highs == sorted(highs, reverse=True)
    ends = [further_over(100, r) for r in range(101)]
    assert ends == sorted(ends)


@pytest.mark.parametrize("rule", ["the maximum", "three times the median", "the mean times four"])
def test_the_interval_holds_what_it_promises_whatever_the_distribution(rule: str):
    """Played 2,000 times with a heavy tail: at most 5 % of the outcomes lie above it, and 5 % below."""
    chance = random.Random(rule)
    above = below = 0
    for _ in range(2_000):
        past = [int(chance.paretovariate(1.2)) for _ in range(60)]
        further = [int(chance.paretovariate(1.2)) for _ in range(200)]
        limit = {
            "the maximum": max(past),
            "three times the median": 3 * sorted(past)[30],
            "the mean times four": 4 * sum(past) / 60,
        }[rule]
        low, high = further_over(60, sum(value > limit for value in past), m=200)
        over = sum(value > limit for value in further)
        above += over > high
        below += over < low
    # 2,000 rounds: two standard errors of 5 % are 1 %.
    assert above <= 2_000 * 0.06
    assert below <= 2_000 * 0.06


def test_the_interval_is_not_wider_than_it_must_be():
    """For a continuous measure the maximum's interval is exact, but for the steps of a count."""
    chance = random.Random(3)
    high = further_over(60, 0, m=200)[1]
    rounds = 4_000
    above = 0
    for _ in range(rounds):
        limit = max(chance.random() for _ in range(60))
        above += sum(chance.random() > limit for _ in range(200)) > high
    assert 0.03 * rounds < above < 0.06 * rounds


def test_the_least_numbers_of_sessions_and_calls_follow_from_the_formula():
    assert sessions_for_share(0.10) == 29
    assert calls_for_quantile(0.95) == 59
    assert share_bound(30) == pytest.approx(0.0950, abs=1e-4)
    assert share_bound(29) <= 0.10 < share_bound(28)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=30), st.sampled_from([0.0, 0.25, 0.5, 0.95, 1.0]))
def test_a_quantile_is_that_of_the_queries(values: list[int], q: float):
    with connect(threads=1) as connection:
        found = connection.execute(
            f"select percentile_cont({q}) within group (order by v) from (select unnest($1) as v)", [values]
        ).fetchall()
    assert quantile(sorted(values), q) == pytest.approx(found[0][0], rel=1e-12)
