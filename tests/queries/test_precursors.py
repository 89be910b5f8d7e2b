"""What comes before failures: planted sequences are found, chance is not, and filters choose among the rows only."""

from __future__ import annotations

import random
from typing import Any

import pytest

from tests.queries.precursors_oracle import PLANTED, patterned, precursors, unpatterned
from tests.queries.recorded import Row, ask, call, in_memory
from tests.queries.traffic import random_rows
from tests.seeds import seeds, some

LOOSE = {"min_calls": 2, "support": 2, "spread": 1, "by_chance": 1e9}
"""Thresholds that let nearly everything through, so that there is much to compare."""


def _same(found: list[Row], expected: list[Row]) -> None:
    assert found == [
        {k: pytest.approx(v, rel=1e-9) if isinstance(v, float) else v for k, v in r.items()} for r in expected
    ]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("given", [{}, LOOSE])
def test_the_precursors_equal_the_plain_answer(seed: int, given: dict[str, Any]) -> None:
    chance = random.Random(seed)
    rows = patterned(chance, [10, 30, 120][seed % 3])
    if seed > 2:  # ties in time, gaps in every column
        rows += [row | {"trace_id": f"f{row['trace_id'][1:]}"} for row in random_rows(chance, 400)]
    expected = precursors(rows, **given)
    assert expected or not given
    _same(
        ask(in_memory(chance.sample(rows, len(rows)), threads=chance.choice([1, 2, 8])), "precursors", **given),
        expected,
    )


@pytest.mark.parametrize("seed", seeds(2, 8))
def test_every_planted_sequence_is_found_and_no_other_failure(seed: int) -> None:
    found = ask(in_memory(patterned(random.Random(seed), 600)), "precursors")
    reported = {(row["before"], row["tool"], row["fault"]) for row in found}
    planted = {(" → ".join(before), tool, fault) for before, tool, fault in PLANTED}
    shadow = {("lock", "write", "denied")}  # the last of two tells something too
    assert planted <= reported <= planted | shadow


def _after(before: str, calls: int, failing: int, **columns: Any) -> list[list[Row]]:
    """Pairs of calls: one, and the call after it, of which so many fail."""
    return [
        [{"tool": before, **columns}, {"tool": "X", "outcome": "tool_error" if number < failing else "ok"}]
        for number in range(calls)
    ]


def _told(pairs: list[list[Row]]) -> list[tuple[str, int, int, int]]:
    shuffled = random.Random(1).sample(pairs, len(pairs))
    rows = [
        call(10 * place + step, session_id=f"s{place % 60}", **columns)
        for place, pair in enumerate(shuffled)
        for step, columns in enumerate(pair)
    ]
    return [(r["before"], r["support"], r["calls"], r["rest_calls"]) for r in ask(in_memory(rows), "precursors")]


@pytest.mark.parametrize(
    ("n", "k", "m", "j"), [(200, 50, 120, 6), (200, 60, 60, 3), (100, 40, 40, 2), (50, 25, 300, 15)]
)
def test_a_precursor_of_most_calls_is_found_by_the_rest(n: int, k: int, m: int, j: int) -> None:
    assert ("Y", k, n, m) in _told([*_after("Y", n, k), *_after("Z", m, j)])


def test_a_failed_call_and_a_large_result_are_precursors_and_a_tool_that_goes_on_failing_is_none() -> None:
    failed = [*_after("Y", 100, 5), *_after("Y", 40, 30, outcome="server_error")]
    assert ("Y (server)", 30, 40, 100) in _told(failed)
    large = [*_after("Y", 100, 5), *_after("Y", 40, 30, result_bytes=65_536)]
    assert ("Y (64 KiB or more)", 30, 40, 100) in _told(large)
    again = [*_after("Y", 100, 5), *_after("X", 40, 30, outcome="tool_error")]
    assert not any("(tool)" in before for before, *_ in _told(again))


@pytest.mark.parametrize("lakes", some(1, [10, 100]))
def test_by_chance_hardly_a_lake_of_many_has_a_row(lakes: int) -> None:
    reported = [len(ask(in_memory(unpatterned(random.Random(seed), 120)), "precursors")) for seed in range(lakes)]
    assert sum(map(bool, reported)) <= max(1, 0.05 * lakes)
