"""Hostile requests beside honest ones: every honest span is in the lake once, in bounded memory."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.seeds import some
from tests.soak import collector_hostile
from tests.soak.collector_hostile import Figures, quantile
from tests.soak.hostile_requests import KINDS

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="finds the committing process in /proc")

RECEIVER_MIB = 700
COMMITTER_MIB = 900


def _show(lake: Path, hostile: int, seed: int, *, redact: bool = False) -> Figures:
    figures = collector_hostile.run(lake, hostile, seed, redact=redact)
    print(f"\nhostile requests to the collector: {figures}\n{figures.health}")
    assert not figures.lost, sorted(figures.lost)[:20]
    assert not figures.twice, sorted(figures.twice)[:20]
    assert set(figures.hostile) == set(KINDS)
    assert figures.acknowledged > 0
    assert figures.receiver_mib < RECEIVER_MIB
    assert figures.committer_mib < COMMITTER_MIB
    return figures


@pytest.mark.parametrize("redact", some(1, [True, False]))
def test_a_few_hostile_requests_lose_and_double_no_honest_span(tmp_path: Path, redact: bool) -> None:
    _show(tmp_path / "lake", 150, seed=3, redact=redact)


@pytest.mark.soak
def test_twenty_thousand_hostile_requests_lose_and_double_no_honest_span(tmp_path: Path) -> None:
    attacked = _show(tmp_path / "attacked", 20_000, seed=20)
    calm = collector_hostile.run(tmp_path / "calm", 0, seed=20, seconds=min(attacked.seconds, 120))
    _show(tmp_path / "redacted", 2_000, seed=21, redact=True)
    print(f"the same honest traffic alone: {calm}")
    for q in (0.5, 0.95, 0.99):
        ratio = quantile(attacked.latencies_s, q) / quantile(calm.latencies_s, q)
        print(f"latency of honest requests at quantile {q}: {ratio:.2f} × that of the calm run")
    assert not calm.lost
    assert not calm.twice
