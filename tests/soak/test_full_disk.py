"""The disk fills up and is freed, again and again: the server goes on, every later call is readable, losses counted."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.soak import disk

pytestmark = pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="only root can mount a tmpfs")


def _show(tmp_path: Path, cycles: int, seed: int) -> None:
    with disk.small_disk(tmp_path / "disk", "16m") as folder:
        figures, must, found = disk.run(folder, cycles=cycles, seed=seed)
    print(f"\nfull disk: {figures}")
    assert must <= found, sorted(must - found)[:20]
    assert figures.lost > 0
    assert figures.recorded + figures.lost == figures.answered


def test_a_disk_that_fills_up_twice_loses_only_counted_rows(tmp_path: Path) -> None:
    _show(tmp_path, 2, seed=2)


@pytest.mark.soak
def test_a_disk_that_fills_up_fifty_times_loses_only_counted_rows(tmp_path: Path) -> None:
    _show(tmp_path, 50, seed=50)
