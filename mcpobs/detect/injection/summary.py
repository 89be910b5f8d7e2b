"""Sums up what was found in a text as named features. The calibration weighs them; nothing here is weighed by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from mcpobs.detect.injection.families import CONTEXT

WINDOW_CHARACTERS = 500
"""Rules that are found this near to each other count as one attack."""


class Found(NamedTuple):
    rule: str
    family: str
    start: int
    end: int
    layer: str
    weighed: str
    """The name that the rule is weighed as."""


def summary(text: str, found: Sequence[Found]) -> dict[str, float]:
    """Returns features: `rule.…` and `family.…` are 1 where found, `together.n` where n families lie in one window."""
    attacks = [each for each in found if each.family != CONTEXT]
    features: dict[str, float] = {}
    for each in attacks:
        features[f"rule.{each.weighed}"] = 1.0
        features[f"family.{each.family}"] = 1.0
        if each.layer != "plain":
            features[f"layer.{each.layer}"] = 1.0
    for count in range(2, min(6, _together(attacks)) + 1):
        features[f"together.{count}"] = 1.0
    if attacks:
        features.update({f"context.{each.weighed}": 1.0 for each in found if each.family == CONTEXT})
    return features


def _together(found: Sequence[Found]) -> int:
    """Returns the most rules that one window holds."""
    placed = sorted(found, key=lambda each: each.start)
    most = low = 0
    for high, each in enumerate(placed):
        while each.start - placed[low].start > WINDOW_CHARACTERS:
            low += 1
        most = max(most, len({one.weighed for one in placed[low : high + 1]}))
    return most
