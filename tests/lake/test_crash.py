"""Death at any moment: nothing that was acknowledged is lost, nothing is there twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lake import crash


def check(figures: crash.Figures) -> None:
    assert figures.missing == []
    assert figures.twice == []
    assert figures.readings > figures.rounds
    assert figures.writer_kills == figures.rounds
    assert 0 < figures.acknowledged <= figures.in_lake


def test_killed_writers_and_committers_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    check(crash.run(tmp_path / "lake", rounds=10, writers=2, seed=7))


@pytest.mark.slow
def test_two_hundred_rounds_of_kills_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    figures = crash.run(tmp_path / "lake", rounds=200, writers=4, seed=1)
    print(figures)
    check(figures)
