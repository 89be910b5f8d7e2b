"""Weighs features to a score, and names thresholds by the rate of benign texts above them. Read from a shipped file.

The file has a table for the patterns with the linear model and one for the patterns alone. Only signs
of harmless context weigh below 0: one more finding, or a higher margin of the model, never lowers the score.
"""

from __future__ import annotations

import json
import math
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

from mcpobs.detect.model import missing

MODEL: Final = "model"
"""The feature that is the linear model's margin."""

MARGIN_BOUNDS: Final = (-2.0, 8.0)
"""Beyond these, the margin says no more."""

SUSPICION: Final = 0.05
"""How much of a margin above 0 counts. The model speaks for a text, and hardly against it: texts of a new author reach
high margins as often harmless as not, because the model knows words and no situation."""


@dataclass(frozen=True, slots=True)
class Calibration:
    intercept: float
    weights: Mapping[str, float]
    thresholds: tuple[tuple[float, float], ...]
    """Pairs of rate and score, by rate."""

    def score(self, features: Mapping[str, float]) -> float:
        """Returns the log-odds of an attack, on the development data."""
        return self.intercept + sum(self.weights.get(name, 0.0) * value for name, value in bounded(features).items())

    def threshold(self, rate: float) -> float:
        """Returns the score of a rate. Interpolates over the logarithm of the rate; takes the last one outside."""
        rates = [each for each, _ in self.thresholds]
        place = bisect_left(rates, rate)
        if place in (0, len(rates)):
            return self.thresholds[min(place, len(rates) - 1)][1]
        (low, above), (high, below) = self.thresholds[place - 1], self.thresholds[place]
        part = math.log(rate / low) / math.log(high / low)
        return above + part * (below - above)


def bounded(features: Mapping[str, float]) -> Mapping[str, float]:
    """Returns the features with the model's margin kept within its bounds, and `SUSPICION` of it above 0."""
    if MODEL not in features:
        return features
    low, high = MARGIN_BOUNDS
    margin = min(max(features[MODEL], low), high)
    return {**features, MODEL: margin if margin < 0 else SUSPICION * margin}


@cache
def calibration() -> Calibration:
    tables = json.loads(files(__package__).joinpath("calibration.json").read_bytes())
    read = tables["patterns" if missing() else "patterns_and_model"]
    return Calibration(read["intercept"], read["weights"], tuple(map(tuple, read["thresholds"])))
