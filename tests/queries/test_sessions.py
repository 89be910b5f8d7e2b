"""Sessions are compared with sessions like them: calm traffic stays quiet, and one that takes far more is found."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest

from tests.queries.recorded import Row, ask, call, in_memory
from tests.queries.sessions_oracle import sessions

Kinds = list[tuple[str, int, dict[str, Any]]]
"""Sessions: an id, a number of calls, and the columns of each call."""


def _calls(kinds: Kinds) -> list[Row]:
    rows: list[Row] = []
    for session, number, columns in kinds:
        rows += [call(len(rows) + n, session_id=session, **columns) for n in range(number)]
    return rows


def _lognormal(chance: random.Random, median: float, sigma: float) -> int:
    return max(1, round(median * math.exp(chance.gauss(0, sigma))))


def _heavy(kinds: Kinds) -> dict[str, str]:
    """The sessions that stand out, and by what."""
    found = ask(in_memory(_calls(kinds)), "sessions")
    return {row["session_id"]: row["why"] for row in found if row["disproportionate"]}


def _mixed(chance: random.Random) -> Kinds:
    """Two servers, two clients of different sizes, a tool of batch jobs, prices, failures, and an odd session."""
    kinds: Kinds = []
    for number in range(60):
        calls = _lognormal(chance, 60 if number % 3 == 0 else 4, 0.4)
        kinds.append((f"web-{number}", calls, {"service_name": "web", "client_name": "agent", "ms": 900}))
    for number in range(110):
        client, tool = (
            ("cursor", "search") if number % 4 == 0 else ("claude", "export" if number % 5 == 0 else "search")
        )
        calls = _lognormal(chance, 25 if client == "cursor" else 60 if tool == "export" else 5, 0.4)
        columns: dict[str, Any] = {"client_name": client, "tool": tool}
        if chance.random() < 0.3:
            columns |= {"cost_microusd": chance.randrange(1, 30_000)}
        if chance.random() < 0.2:
            columns |= {"outcome": "tool_error"}
        kinds.append((f"files-{number}", calls, columns))
    kinds += [(f"few-{number}", chance.randrange(1, 9), {"service_name": "few"}) for number in range(3)]
    return [*kinds, ("planted", 90, {"client_name": "claude", "cost_microusd": 40_000, "outcome": "tool_error"})]


@pytest.mark.parametrize("seed", range(3))
def test_the_sessions_that_stand_out_equal_the_plain_answer(seed: int) -> None:
    chance = random.Random(seed)
    rows = _calls(_mixed(chance))
    found = ask(in_memory(chance.sample(rows, len(rows)), threads=chance.choice([1, 2, 8])), "sessions")
    expected = sessions(rows)
    assert any(" · " in (row["compared_with"] or "") for row in expected)
    assert [{key: here[key] for key in there} for here, there in zip(found, expected, strict=True)] == [
        {key: pytest.approx(value, rel=1e-9) if isinstance(value, float) else value for key, value in row.items()}
        for row in expected
    ]


def test_a_price_on_a_tool_of_a_minority_makes_nobody_stand_out() -> None:
    usual: Kinds = [(f"s{n}", 4 + n % 3, {}) for n in range(70)]
    buyers: Kinds = [(f"b{n}", 1 + n % 3, {"tool": "buy", "cost_microusd": 20_000}) for n in range(30)]
    assert _heavy([*usual, *buyers]) == {}
    assert _heavy([*usual, *buyers, ("burns", 40, {"tool": "buy", "cost_microusd": 20_000})]) == {
        "burns": "calls 20 ×; cost 20 ×"
    }


def test_another_server_with_longer_sessions_hides_no_session() -> None:
    short: Kinds = [(f"s{n}", 4 + n % 3, {}) for n in range(40)]
    long: Kinds = [(f"l{n}", 150 + n, {"service_name": "browser"}) for n in range(40)]
    assert (
        _heavy([*short, ("heavy", 203, {})]) == _heavy([*short, *long, ("heavy", 203, {})]) == {"heavy": "calls 41 ×"}
    )


@pytest.mark.parametrize("share", [0.1, 0.3])
def test_sessions_of_the_larger_of_two_sizes_are_a_kind_and_one_beyond_it_stands_out(share: float) -> None:
    chance = random.Random(4)
    calm: Kinds = [(f"s{n}", _lognormal(chance, 96 if n < share * 120 else 8, 0.2), {}) for n in range(120)]
    assert _heavy(calm) == {}
    assert set(_heavy([*calm, ("heavy", 700, {})])) == {"heavy"}


def test_failures_count_if_others_fail_less_and_not_because_there_are_many_calls() -> None:
    def failing(calls: int, every: int) -> Kinds:
        return [("ok", calls - calls // every, {}), ("ok", calls // every, {"outcome": "tool_error"})]

    usual = [(f"s{n}", number, columns) for n in range(30) for _, number, columns in failing(20, 10)]
    long = [("long", number, columns) for _, number, columns in failing(55, 10)]
    assert _heavy([*usual, *long]) == {"long": "calls 3 ×"}
    assert _heavy([*usual, ("broken", 18, {"outcome": "tool_error"})]) == {"broken": "failures 9 ×"}


def test_the_largest_by_share_are_named_without_standing_out() -> None:
    found = ask(
        in_memory(_calls([("a", 6, {}), ("b", 3, {"cost_microusd": 5}), ("c", 2, {}), ("d", 1, {})])), "sessions"
    )
    assert [(row["session_id"], row["largest"], row["disproportionate"]) for row in found] == [
        ("a", "calls 50 %", None),
        ("b", "calls 25 %; cost 100 %", None),
        ("c", "calls 17 %", None),
        ("d", None, None),
    ]


def test_an_extreme_session_is_found_among_few_and_among_wide_ones() -> None:
    chance = random.Random(8)
    for sessions_, sigma in ((30, 0.5), (60, 0.5), (200, 1.0)):
        calm: Kinds = [(f"s{n}", _lognormal(chance, 6, sigma), {}) for n in range(sessions_)]
        assert set(_heavy([*calm, ("heavy", 180, {})])) == {"heavy"}
