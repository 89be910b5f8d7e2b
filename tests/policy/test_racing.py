"""Processes that race on one limit grant exactly what it allows, whoever is killed."""

from __future__ import annotations

import random
from contextlib import ExitStack
from pathlib import Path

import pytest

from mcpobs.policy.sqlite import SqliteStore
from tests.policy.racing import Racer, total


def race(path: Path, limit: int, kills: int, chance: random.Random) -> tuple[int, int]:
    """Lets eight processes race. Returns grants that they saw, and how many were killed before they ended."""
    with ExitStack() as stack:
        racers = [Racer(path, limit, f"s{number}", stack) for number in range(8)]
        for racer in racers:
            racer.ready()
        for racer in racers:
            racer.go()
        for number in range(kills):
            victim = racers[number % len(racers)]
            victim.see(chance.randint(1, max(1, limit // 16)))
            victim.process.kill()
        codes = [racer.end() for racer in racers]
        assert all(code in (0, -9) for code in codes)
        return sum(racer.saw for racer in racers), codes.count(-9)


def test_eight_processes_grant_exactly_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "store" / "policy.db"
    assert race(path, 1_000, 0, random.Random(0)) == (1_000, 0)
    assert total(path) == 1_000


def test_a_killed_process_grants_nothing_twice_and_loses_no_grant(tmp_path: Path) -> None:
    path = tmp_path / "policy.db"
    saw, killed = race(path, 400, 2, random.Random(1))
    assert total(path) == 400
    assert 400 - killed <= saw <= 400  # a killed one may have died between its grant and its byte


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(25))
def test_seven_of_eight_killed_at_random_moments(seed: int, tmp_path: Path) -> None:
    path = tmp_path / "policy.db"
    chance = random.Random(seed)
    saw, killed = race(path, 1_000, chance.randint(1, 7), chance)
    assert total(path) == 1_000
    assert 1_000 - killed <= saw <= 1_000
    store = SqliteStore(path)
    assert store.sizes()["scoped"] == 1
    store.close()
