"""`kill -9` at random moments: no finished call is lost, none is there twice, every report works."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.soak import kills


def _show(lake: Path, rounds: int, seed: int) -> kills.Figures:
    figures = kills.run(lake, rounds=rounds, seed=seed)
    print(f"\nkill -9: {figures}")
    assert not figures.broken, figures.broken[:5]
    assert not figures.lost, sorted(figures.lost)[:20]
    assert not figures.twice, sorted(figures.twice)[:20]
    assert figures.finished > 100 * rounds / 5
    return figures


def test_five_rounds_of_kill_lose_nothing(tmp_path: Path) -> None:
    _show(tmp_path / "lake", 5, seed=5)


@pytest.mark.soak
def test_two_hundred_rounds_of_kill_lose_nothing(tmp_path: Path) -> None:
    figures = _show(tmp_path / "lake", 200, seed=200)
    assert figures.parquet_files > 0
    assert figures.unfinished > 0
    assert len(figures.kills) == 5
