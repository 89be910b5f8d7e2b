"""Scores rows by a scanner that was made without them: weights, calibration and thresholds are fitted anew per fold."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bench.injection.corpus import Seen, crossed, fold, learnt, with_margin
from bench.injection.descent import Settings
from bench.injection.fit import threshold, weighed

INNER_FOLDS = 4
INNER = "inner"


@dataclass(frozen=True)
class Crossed:
    """Of one row: its scores, and by rate the thresholds that its fold's scanner would have shipped."""

    score: float
    alone: float
    """By patterns alone."""

    thresholds: dict[float, float]
    alone_thresholds: dict[float, float]


def left_out(
    rows: Sequence[Seen],
    own: Sequence[Seen],
    settings: Settings,
    folds: int,
    rates: Sequence[float],
    key: Callable[[Seen], str],
) -> list[Crossed]:
    """Leaves out one fold after the other. `key` names what has to stay together: the group, or the family. Our own
    texts always teach."""
    made: list[Crossed | None] = [None] * len(rows)
    numbers = [fold(key(each), folds) for each in rows]
    for number in range(folds):
        others = [each for each, other in zip(rows, numbers, strict=True) if other != number]
        inside = [index for index, other in enumerate(numbers) if other == number]
        scores = scored([*others, *own], [rows[index] for index in inside], settings, rates)
        for index, one in zip(inside, scores, strict=True):
            made[index] = one
    return [one for one in made if one is not None]


def scored(others: Sequence[Seen], rows: Sequence[Seen], settings: Settings, rates: Sequence[float]) -> list[Crossed]:
    """Fits on `others`, scores `rows`."""
    margins = crossed(others, settings, INNER_FOLDS, INNER)
    inputs = [with_margin(each, margin) for each, margin in zip(others, margins, strict=True)]
    both, patterns = weighed(others, inputs), weighed(others, [each.features for each in others])
    both_scores = [both.score(each) for each in inputs]
    alone_scores = [patterns.score(each.features) for each in others]
    apart, alone_apart = parted(others, inputs), parted(others, [each.features for each in others])
    limits = {rate: between(others, both_scores, apart, rate) for rate in rates}
    alone_limits = {rate: between(others, alone_scores, alone_apart, rate) for rate in rates}
    model = learnt(others, settings)
    made = []
    for each in rows:
        score = both.score(with_margin(each, model.score(each.hashed)))
        made.append(Crossed(score, patterns.score(each.features), limits, alone_limits))
    return made


def parted(rows: Sequence[Seen], inputs: Sequence[Mapping[str, float]]) -> list[float]:
    """The score of each row by weights that were fitted without its group. Scores of the rows that weights are fitted
    on are lower: a rule that only these benign texts hold weighs nothing there."""
    numbers = [fold(each.row.group, INNER_FOLDS, INNER) for each in rows]
    scores = [0.0] * len(rows)
    for number in range(INNER_FOLDS):
        kept = [index for index, other in enumerate(numbers) if other != number]
        made = weighed([rows[index] for index in kept], [inputs[index] for index in kept])
        for index, other in enumerate(numbers):
            if other == number:
                scores[index] = made.score(inputs[index])
    return scores


def between(rows: Sequence[Seen], inside: Sequence[float], apart: Sequence[float], rate: float) -> float:
    """The threshold of a rate halfway between two that are wrong: scores of the rows that weights are fitted on are too
    low, and scores by weights of three quarters of the rows too high, because they know fewer benign texts."""
    return (limit(rows, inside, rate) + limit(rows, apart, rate)) / 2


def limit(rows: Sequence[Seen], scores: Sequence[float], rate: float) -> float:
    """The threshold of a rate by the scores of these rows."""
    pairs = list(zip(rows, scores, strict=True))
    plain = [score for each, score in pairs if each.row.tier == "plain"]
    return threshold(plain, [score for each, score in pairs if each.row.tier == "hard"], rate)
