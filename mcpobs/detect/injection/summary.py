"""Sums up what was found in a text as named features. The calibration weighs them; nothing here is weighed by hand."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from mcpobs.detect.injection.families import CONTEXT

WINDOW_CHARACTERS = 500
"""Families that are found this near to each other count as one attack."""


class Found(NamedTuple):
    rule: str
    family: str
    start: int
    end: int
    layer: str
    weighed: str
    """The name that the rule is weighed as."""


def summary(text: str, found: Sequence[Found]) -> dict[str, float]:
    """Returns features by name, none of which is a sign of a harmless text.

    `rule.…`, `family.…` and `layer.…` are 1 where found, `together.n` where n families lie in one window. An attack
    that the text describes or quotes counts as `described.…` only: it weighs less, and still weighs.
    """
    signs = [each for each in found if each.family == CONTEXT]
    features: dict[str, float] = {}
    meant = []
    for each in found:
        if each.family == CONTEXT:
            continue
        if _described(text, each, signs):
            features[f"described.{each.family}"] = 1.0
            continue
        meant.append(each)
        features[f"rule.{each.weighed}"] = 1.0
        features[f"family.{each.family}"] = 1.0
        if each.layer != "plain":
            features[f"layer.{each.layer}"] = 1.0
    for count in range(2, min(5, _together(meant)) + 1):
        features[f"together.{count}"] = 1.0
    return features


def _described(text: str, found: Found, signs: Sequence[Found]) -> bool:
    """Whether the text speaks of attacks near to what was found, or introduces it as a quotation."""
    if found.family in NEVER_DESCRIBED or found.layer != "plain":
        return False
    for sign in signs:
        if sign.weighed in ABOUT_ATTACKS and abs(sign.start - found.start) <= NEAR_CHARACTERS:
            return True
        if sign.weighed == TRANSCRIPT and found.family == "roles":
            return True
    return _INTRODUCED.search(text[max(0, found.start - QUOTED_CHARACTERS) : found.start]) is not None


ABOUT_ATTACKS = frozenset({"context-security-terms", "context-describes", "context-defends"})
NEVER_DESCRIBED = frozenset({"invisible", "lookalike", "coded"})
"""Families of disguise: who describes an attack does not disguise it."""

TRANSCRIPT = "context-transcript"
NEAR_CHARACTERS = 3000
QUOTED_CHARACTERS = 60
_INTRODUCED = re.compile(
    r"(?:e\.g\.|for example|for instance|such as|examples?|like|phrases?|strings?|payloads?|prompts?|says?|called|"
    r"containing|writes?|input|patterns?|quotes?|ejemplo|exemple|Beispiel|например|如|例)"
    r"[\s:,(]{0,4}[\"'“”‘`«„「][^\"“”`»」\n]*$",
    re.IGNORECASE,
)


def _together(found: Sequence[Found]) -> int:
    """Returns the most families that one window holds."""
    placed = sorted(found, key=lambda each: each.start)
    most = low = 0
    for high, each in enumerate(placed):
        while each.start - placed[low].start > WINDOW_CHARACTERS:
            low += 1
        most = max(most, len({one.family for one in placed[low : high + 1]}))
    return most
