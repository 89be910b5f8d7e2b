"""Fits the calibration: logistic regression with weights of known sign, and thresholds named by their rate."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bench.injection.corpus import CONTESTED, Seen
from bench.injection.texts import CARRIED, WRITTEN
from mcpobs.detect.injection.calibration import Calibration, bounded

RATES = (0.001, 0.002, 0.003, 0.005, 0.007, 0.01, 0.015, 0.02, 0.03, 0.05, 0.07, 0.1)
PLAIN_SHARE = 0.7
"""Plain texts may exceed a threshold at most at this share of its rate: most results are plain."""


@dataclass
class _Column:
    rows: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)


def weighed(rows: Sequence[Seen], inputs: Sequence[Mapping[str, float]]) -> Calibration:
    """Fits on all rows but contested attacks, most of which hold no instruction, and on a third of the texts that were
    written for the model: patterns are made with the rows in view, and weigh too much without texts that are not."""
    pairs = enumerate(zip(rows, inputs, strict=True))
    used = [(given, each.row.attack) for number, (each, given) in pairs if _counts(each, number)]
    return fitted([given for given, _ in used], [attack for _, attack in used])


def _counts(each: Seen, number: int) -> bool:
    if each.row.tier == WRITTEN:
        return number % 3 == 0
    return each.row.tier != CARRIED and not (each.row.attack and each.row.family in CONTESTED)


def fitted(
    rows: Sequence[Mapping[str, float]], labels: Sequence[int], penalty: float = 0.5, sweeps: int = 60
) -> Calibration:
    """Cyclic Newton steps on one weight at a time. Weights keep their sign. No thresholds yet."""
    columns: dict[str, _Column] = {}
    for number, features in enumerate(rows):
        for name, value in bounded(features).items():
            column = columns.setdefault(name, _Column())
            column.rows.append(number)
            column.values.append(value)
    names = sorted(columns)
    weights, margins, intercept = dict.fromkeys(names, 0.0), [0.0] * len(rows), 0.0
    every = _Column(list(range(len(rows))), [1.0] * len(rows))
    for _ in range(sweeps):
        change = _newton(every, margins, labels, 0.0, 1e-9)
        intercept, moved = intercept + change, abs(change)
        _shift(every, margins, change)
        for name in names:
            change = _bounded(name, weights[name], _newton(columns[name], margins, labels, weights[name], penalty))
            weights[name] += change
            moved = max(moved, abs(change))
            _shift(columns[name], margins, change)
        if moved < 1e-4:
            break
    kept = {name: round(weight, 4) for name, weight in weights.items() if abs(weight) >= 5e-5}
    return Calibration(round(intercept, 4), kept, ())


def _bounded(name: str, weight: float, change: float) -> float:
    """A sign of harmless context never raises the score, anything else never lowers it."""
    return min(change, -weight) if name.startswith("context.") else max(change, -weight)


def _newton(column: _Column, margins: Sequence[float], labels: Sequence[int], weight: float, penalty: float) -> float:
    slope, bend = penalty * weight, penalty
    for row, value in zip(column.rows, column.values, strict=True):
        chance = 1 / (1 + math.exp(-max(-30.0, min(30.0, margins[row]))))
        slope += (chance - labels[row]) * value
        bend += max(chance * (1 - chance), 1e-6) * value * value
    return max(-2.0, min(2.0, -slope / bend))


def _shift(column: _Column, margins: list[float], change: float) -> None:
    if change:
        for row, value in zip(column.rows, column.values, strict=True):
            margins[row] += change * value


def threshold(plain: Sequence[float], hard: Sequence[float], rate: float) -> float:
    """Returns a score that a fresh benign text exceeds with at most this probability, by the counts at hand.

    Of n benign scores it is the k-th highest with k = rate × (n + 1), rounded down: a fresh score is equally likely to
    fall into each of the n + 1 gaps. A rate finer than 1 in n + 1 gets the highest benign score. Plain texts have to
    keep `PLAIN_SHARE` of the rate by themselves.
    """
    return max(_exceeded([*plain, *hard], rate), _exceeded(plain, rate * PLAIN_SHARE))


def _exceeded(scores: Sequence[float], rate: float) -> float:
    place = max(1, int(rate * (len(scores) + 1)))
    return sorted(scores, reverse=True)[place - 1] if scores else -math.inf
