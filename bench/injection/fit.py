"""Fits the calibration: logistic regression with weights of known sign, and thresholds named by their rate."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bench.injection.corpus import CONTESTED, Seen
from bench.injection.texts import BARE, CARRIED
from mcpobs.detect.evaluation import Labelled
from mcpobs.detect.injection.calibration import Calibration, bounded

RATES = (0.001, 0.002, 0.003, 0.005, 0.007, 0.01, 0.015, 0.02, 0.03, 0.05, 0.07, 0.1)
PLAIN_SHARE = 0.6
"""Plain texts may exceed a threshold at most at this share of its rate: most results are plain."""

HARD_SHARE = 0.95
"""The same of hard texts: the texts of another author are hard in other ways, so that no mean may hide them."""

CAUTION = 0.5
"""Standard errors of a count of benign texts that a threshold leaves as room: the fewer texts, the more."""


@dataclass
class _Column:
    rows: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)


PENALTY = 0.33
SHRINK = 0.4
"""How far a rule's weight is drawn to the evidence of being rare: see `_centre`."""

RARE = 0.01
WRITTEN = 0.03
"""What a text that was written for the scanner counts, beside a text of the data."""


def weighed(rows: Sequence[Seen], inputs: Sequence[Mapping[str, float]]) -> Calibration:
    """Fits on all rows but contested attacks, most of which hold no instruction, and on the bare texts that were
    written for the scanner: patterns are made with the rows in view, and weigh too much without other texts."""
    pairs = list(zip((each.row for each in rows), inputs, strict=True))
    used = [(given, row.attack) for row, given in pairs if row.tier not in (BARE, CARRIED) and not _contested(row)]
    written = [(given, int(row.attack)) for row, given in pairs if row.tier == BARE]
    return fitted([given for given, _ in used], [attack for _, attack in used], written)


def _contested(row: Labelled) -> bool:
    return row.attack and row.family in CONTESTED


def fitted(
    rows: Sequence[Mapping[str, float]],
    labels: Sequence[int],
    written: Sequence[tuple[Mapping[str, float], int]] = (),
    sweeps: int = 60,
) -> Calibration:
    """Cyclic Newton steps on one weight at a time. Weights keep their sign. No thresholds yet."""
    rows, labels = [*rows, *(each for each, _ in written)], [*labels, *(label for _, label in written)]
    counts = [1.0] * (len(rows) - len(written)) + [WRITTEN] * len(written)
    columns: dict[str, _Column] = {}
    for number, features in enumerate(rows):
        for name, value in bounded(features).items():
            column = columns.setdefault(name, _Column())
            column.rows.append(number)
            column.values.append(value)
    names = sorted(columns)
    benign = sum(count for count, label in zip(counts, labels, strict=True) if not label)
    centres = {name: _centre(name, columns[name], labels, counts, benign) for name in names}
    weights, margins, intercept = dict.fromkeys(names, 0.0), [0.0] * len(rows), 0.0
    every = _Column(list(range(len(rows))), [1.0] * len(rows))
    for _ in range(sweeps):
        change = _newton(every, margins, labels, counts, 0.0, 1e-9)
        intercept, moved = intercept + change, abs(change)
        _shift(every, margins, change)
        for name in names:
            off = weights[name] - centres[name]
            change = max(_newton(columns[name], margins, labels, counts, off, PENALTY), -weights[name])
            weights[name] += change
            moved = max(moved, abs(change))
            _shift(columns[name], margins, change)
        if moved < 1e-4:
            break
    kept = {name: round(weight, 4) for name, weight in weights.items() if abs(weight) >= 5e-5}
    return Calibration(round(intercept, 4), kept, ())


def _centre(name: str, column: _Column, labels: Sequence[int], counts: Sequence[float], benign: float) -> float:
    """Returns the weight that a rule has before any attack is seen: the more, the fewer benign texts hold it.

    Most rules find kinds of attack that the data has few or none of. A penalty towards 0 would switch these off,
    although it is evidence that no benign text holds them: at a rate of `RARE` among attacks, its log-odds.
    """
    if not name.startswith("rule."):
        return 0.0
    held = sum(counts[row] for row in column.rows if not labels[row])
    return min(max(SHRINK * math.log(RARE * (benign + 1) / (held + 0.5)), 0.0), 3.0)


def _newton(
    column: _Column,
    margins: Sequence[float],
    labels: Sequence[int],
    counts: Sequence[float],
    off: float,
    penalty: float,
) -> float:
    """`off` is how far the weight is from its centre."""
    slope, bend = penalty * off, penalty
    for row, value in zip(column.rows, column.values, strict=True):
        chance = 1 / (1 + math.exp(-max(-30.0, min(30.0, margins[row]))))
        slope += counts[row] * (chance - labels[row]) * value
        bend += counts[row] * max(chance * (1 - chance), 1e-6) * value * value
    return max(-2.0, min(2.0, -slope / bend))


def _shift(column: _Column, margins: list[float], change: float) -> None:
    if change:
        for row, value in zip(column.rows, column.values, strict=True):
            margins[row] += change * value


def threshold(plain: Sequence[float], hard: Sequence[float], rate: float) -> float:
    """Returns a score that a fresh benign text exceeds with at most this probability, by the counts at hand.

    Of n benign scores it is the k-th highest, or lies between two. With k = rate × (n + 1) a fresh score would exceed
    it with just that probability, because it is equally likely to fall into each of the n + 1 gaps; `CAUTION` × √k are
    taken off. A rate finer than 1 in n + 1 gets the highest benign score. Plain texts have to keep `PLAIN_SHARE` of the
    rate alone, hard ones `HARD_SHARE`.
    """
    each = (([*plain, *hard], 1.0), (plain, PLAIN_SHARE), (hard, HARD_SHARE))
    return max(_exceeded(scores, rate * share) for scores, share in each)


def _exceeded(scores: Sequence[float], rate: float) -> float:
    expected = rate * (len(scores) + 1)
    place = max(1.0, expected - CAUTION * math.sqrt(expected))
    ordered = sorted(scores, reverse=True)
    if not ordered:
        return -math.inf
    above, below = ordered[int(place) - 1], ordered[min(int(place), len(ordered) - 1)]
    return above + (place - int(place)) * (below - above)
