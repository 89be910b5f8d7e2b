"""Some cases of each planted kind: `bench.planted_loops` has many. The plain answer agrees on all of them."""

from __future__ import annotations

import random

import pytest

from bench.planted_loops import ACROSS, LOOPS, OTHERS, Kind, rows_of
from tests.queries import loops_oracle
from tests.queries.recorded import Row, ask, in_memory

CASES = 3


def _found(kind: Kind, chance: random.Random) -> list[Row]:
    rows = list(rows_of(kind(chance), "planted", chance))
    found = ask(in_memory(rows), "loops")
    expected = loops_oracle.loops(rows)
    assert [(row["kind"], row["calls"], row["sessions"]) for row in found] == [
        (row["kind"], row["calls"], row["sessions"]) for row in expected
    ]
    return found


@pytest.mark.parametrize("kind", LOOPS, ids=lambda kind: kind.__name__)
def test_a_planted_loop_is_found(kind: Kind) -> None:
    chance = random.Random(kind.__name__)
    assert all(_found(kind, chance) for _ in range(CASES))


@pytest.mark.parametrize(("kind", "meant"), ACROSS, ids=lambda each: getattr(each, "__name__", each))
def test_what_many_sessions_ran_into_is_one_finding(kind: Kind, meant: str) -> None:
    chance = random.Random(kind.__name__)
    assert [[row["kind"] for row in _found(kind, chance)] for _ in range(CASES)] == [[meant]] * CASES


@pytest.mark.parametrize("kind", OTHERS, ids=lambda kind: kind.__name__)
def test_what_only_looks_like_a_loop_is_left_alone(kind: Kind) -> None:
    chance = random.Random(kind.__name__)
    assert [_found(kind, chance) for _ in range(CASES)] == [[]] * CASES
