"""Weighs features to a score, and names thresholds by the rate of benign texts above them. Read from a shipped file."""

from __future__ import annotations

import json
import math
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Calibration:
    intercept: float
    weights: Mapping[str, float]
    thresholds: tuple[tuple[float, float], ...]
    """Pairs of rate and score, by rate."""

    def score(self, features: Mapping[str, float]) -> float:
        return self.intercept + sum(self.weights.get(name, 0.0) * value for name, value in features.items())

    def threshold(self, rate: float) -> float:
        """Returns the score of a rate; between two rates it interpolates over the logarithm, outside it takes the last."""
        rates = [each for each, _ in self.thresholds]
        place = bisect_left(rates, rate)
        if place in (0, len(rates)):
            return self.thresholds[min(place, len(rates) - 1)][1]
        (low, above), (high, below) = self.thresholds[place - 1], self.thresholds[place]
        part = math.log(rate / low) / math.log(high / low)
        return above + part * (below - above)


@cache
def calibration() -> Calibration:
    read = json.loads(files(__package__).joinpath("calibration.json").read_bytes())
    return Calibration(read["intercept"], read["weights"], tuple(map(tuple, read["thresholds"])))
