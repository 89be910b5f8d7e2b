"""`kill -9` of the collector: every acknowledged span is in the lake once."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.soak import collector_kills

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="finds the committing process in /proc")


def _show(lake: Path, rounds: int, seed: int) -> None:
    figures = collector_kills.run(lake, rounds=rounds, seed=seed)
    print(f"\nkill -9 of the collector: {figures}")
    assert not figures.broken, figures.broken[:5]
    assert not figures.lost, sorted(figures.lost)[:20]
    assert not figures.twice, sorted(figures.twice)[:20]
    assert figures.acknowledged >= 40 * rounds
    assert figures.readings > 0


def test_four_rounds_of_kill_lose_and_double_nothing(tmp_path: Path) -> None:
    _show(tmp_path / "lake", 4, seed=4)


@pytest.mark.soak
def test_a_hundred_rounds_of_kill_lose_and_double_nothing(tmp_path: Path) -> None:
    _show(tmp_path / "lake", 100, seed=100)
