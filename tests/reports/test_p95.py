"""The slowest tool right now: a rank that few calls cannot win by chance, nor lose by being few."""

from __future__ import annotations

import math
import random

import pytest

from mcpobs.queries.plan import Plan
from mcpobs.reports.filters import Filters
from mcpobs.reports.kinds.p95 import LOW, MIN_CALLS, Ranking, rank, sentence
from mcpobs.reports.window import HOUR, SECOND
from tests.queries.recorded import START, Row, ask, call, in_memory

NOW = START
WEEK = 7 * 24


def _calls(tool: str, times_ms: list[float], hours_ago: float = 0.1) -> list[Row]:
    start = NOW - int(hours_ago * HOUR)
    return [call(n, tool=tool, ms=ms, start_unix_nano=start - n * SECOND) for n, ms in enumerate(times_ms)]


def _ranked(rows: list[Row]) -> Ranking:
    return rank(Plan(in_memory(rows)), Filters(), None, NOW, MIN_CALLS)


@pytest.mark.parametrize(
    ("rows", "begins"),
    [
        (
            _calls("b", [10] * 19 + [60_000]) + _calls("a", [50] * 100),
            "a: p95 50.0 ms over 100 calls in the last hour (at least 50.0 ms, 95 % sure)",
        ),
        (_calls("b", [30_000] * 19) + _calls("a", [50] * 100), "b: p95 30,000 ms over 19 calls in the last hour"),
        (_calls("b", [8_000] * 5) + _calls("a", [50] * 100, WEEK), "b: p95 8,000 ms over 5 calls in the last hour"),
        (
            _calls("b", [8_000] * 3) + _calls("a", [50] * 100),
            "a: p95 50.0 ms over 100 calls in the last hour (at least 50.0 ms, 95 % sure); "
            "too few calls to rank: b (3 calls, up to 8,000 ms)",
        ),
        (_calls("b", [10] * 3) + _calls("a", [50] * 5), "a: p95 50.0 ms over 5 calls in the last hour"),
        (_calls("b", [8_000] * 3), "no tool has 5 answered calls in all time; the most is 3; too few calls to rank: b"),
    ],
    ids=["one slow of twenty", "nineteen slow", "five now", "three slow", "three fast", "three alone"],
)
def test_the_sentence_names_the_slowest_tool_and_those_with_too_few_calls(rows: list[Row], begins: str) -> None:
    assert sentence(_ranked(rows)).startswith(begins)


def test_a_tool_that_often_hangs_is_the_slowest_by_what_its_calls_waited() -> None:
    hung = [
        call(
            900 + n, tool="b", ms=40_000, outcome="unfinished", error_type="client_disconnect", start_unix_nano=NOW - n
        )
        for n in range(6)
    ]
    found = _ranked(_calls("b", [10] * 20) + hung + _calls("a", [50] * 100))
    assert found.winner is not None
    assert (found.winner["tool"], found.winner[LOW.name]) == ("b", 40_000)


def test_the_first_row_is_the_tool_of_the_sentence_and_has_the_longest_bar() -> None:
    found = _ranked(_calls("b", [10] * 19 + [60_000] * 2) + _calls("a", [50] * 100) + _calls("c", [900] * 4))
    lows = [row[LOW.name] for row in found.result.records() if row["ranked"]]
    assert lows == sorted(lows, reverse=True)
    assert found.winner is not None
    assert found.winner["tool"] == "a"


def _at_least(n: int, k: int) -> float:
    """The probability that k or more of n calls are below the 95th percentile."""
    return sum(math.comb(n, i) * 0.95**i * 0.05 ** (n - i) for i in range(k, n + 1))


def test_the_bound_is_the_largest_order_statistic_that_holds_in_95_of_100_cases_or_one_below() -> None:
    chance = random.Random(3)
    for n in (2, 3, 4, 5, 10, 19, 20, 59, 60, 156, 300):
        times = sorted(chance.sample(range(1, 10_000), n))
        (row,) = ask(in_memory(_calls("a", [float(ms) for ms in times])), "p95_low")
        k = times.index(round(row["p95_low_ms"])) + 1
        assert _at_least(n, k) >= 0.95
        assert k >= n - 1 or _at_least(n, k + 2) < 0.95


def test_the_bound_of_roll_ups_is_off_by_no_more_than_a_bucket() -> None:
    chance = random.Random(4)
    rows = [row for tool in "abc" for row in _calls(tool, [chance.lognormvariate(3, 1) for _ in range(90)])]
    hung = {"outcome": "unfinished", "error_type": "client_disconnect"}
    connection = in_memory(rows + [call(n, tool="c", ms=50_000, **hung) for n in range(900, 920)])
    exact, rolled = (ask(connection, name) for name in ("p95_low", "p95_low_rolled"))
    assert [row["tool"] for row in exact] == [row["tool"] for row in rolled]
    for here, there in zip(exact, rolled, strict=True):
        assert there["p95_low_ms"] == pytest.approx(here["p95_low_ms"], rel=0.011)
