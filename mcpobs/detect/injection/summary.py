"""Sums up what was found in a text as named features. The calibration weighs them; nothing here is weighed by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

WINDOW_CHARACTERS = 500
"""Families that are found this near to each other count as one attack."""


class Found(NamedTuple):
    rule: str
    family: str
    start: int
    end: int
    layer: str


def summary(text: str, found: Sequence[Found]) -> dict[str, float]:
    """Returns features: `rule.…` and `family.…` are 1 where found, `together.n` where n families lie in one window."""
    features: dict[str, float] = {}
    for each in found:
        features[f"rule.{each.rule}"] = 1.0
        features[f"family.{each.family}"] = 1.0
        if each.layer != "plain":
            features[f"layer.{each.layer}"] = 1.0
    for count in range(2, min(5, _together(found)) + 1):
        features[f"together.{count}"] = 1.0
    return features


def _together(found: Sequence[Found]) -> int:
    """Returns the most families that one window holds."""
    placed = sorted(found, key=lambda each: each.start)
    most = low = 0
    for high, each in enumerate(placed):
        while each.start - placed[low].start > WINDOW_CHARACTERS:
            low += 1
        most = max(most, len({one.family for one in placed[low : high + 1]}))
    return most
