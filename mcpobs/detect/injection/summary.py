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
    if found.family in NEVER_DESCRIBED or found.layer not in OPEN_LAYERS:
        return False
    for sign in signs:
        if sign.weighed in ABOUT_ATTACKS and abs(sign.start - found.start) <= NEAR_CHARACTERS:
            return True
        if sign.weighed == TRANSCRIPT and found.family == "roles":
            return True
    before = text[max(0, found.start - QUOTED_CHARACTERS) : found.start]
    if found.family not in FORBIDDING and _NEGATED.search(before) is not None:
        return True
    return _INTRODUCED.search(before) is not None or _quoted(text, found) or _literal(text, found)


def _quoted(text: str, found: Found) -> bool:
    """Whether a sentence of prose quotes what was found. The value of a field is no quotation."""
    before = text[max(0, found.start - QUOTATION_CHARACTERS) : found.start + 1].rpartition("\n")[2]
    closed = _CLOSED.search(text, max(found.start + 1, found.end - 1), found.end + QUOTATION_CHARACTERS)
    if closed is None or (opened := _OPENED.search(before)) is None:
        return False
    return opened["words"] is not None or closed["words"] is not None


def _literal(text: str, found: Found) -> bool:
    """Whether what was found stands in a string literal of a program. Comments, and JSON alone, are none."""
    if _PROGRAM.search(text, max(0, found.start - NEAR_CHARACTERS), found.start + NEAR_CHARACTERS) is None:
        return False
    line = text[max(0, found.start - QUOTATION_CHARACTERS) : found.start + 1].rpartition("\n")[2]
    return _LITERAL.search(line) is not None or text.count('"""', 0, found.start) % 2 == 1


ABOUT_ATTACKS = frozenset({"context-security-terms", "context-describes", "context-defends"})
NEVER_DESCRIBED = frozenset({"invisible", "lookalike", "coded"})
"""Families of disguise: who describes an attack does not disguise it."""

FORBIDDING = frozenset({"concealment", "output", "memory"})
"""Families whose orders may begin with a negation themselves; of the others, a negated order is none."""

_NEGATED = re.compile(
    r"(?:\b(?:not|never|cannot|avoid|nicht|nie|niemals|jamais|nunca|n[aã]o|non|no|ne)\s+|n['’]t\s+|\bn['’])(?:ever\s+|to\s+)?$",
    re.IGNORECASE,
)

OPEN_LAYERS = frozenset({"plain", "slip"})
"""The readings that a person sees too."""

TRANSCRIPT = "context-transcript"
NEAR_CHARACTERS = 3000
QUOTED_CHARACTERS = 60
QUOTATION_CHARACTERS = 200
_OPENED = re.compile(
    r"(?:(?P<words>(?:[^\W\d_]+[\s,:(]+){2}|[.!?][\"”»’]? [^\W\d_]+: ?|[\"”»’],? (?:or|and) )|^\W*|[.!?] )"
    r"[\"“‘«»„`][^\"“”«»„`]*$"
)
"""A quotation that is still open, and the words that introduce it."""

_CLOSED = re.compile(r"(?P<words>[,.!?][\"”’»`] [^\W\d_A-Z])|[\"“”’«»`]")
"""The end of a quotation, and the sentence that goes on after it."""

_PROGRAM = re.compile(
    r"^[ \t]*(?:(?:def|class|import|from|assert|return|const|let|var|function|func) |(?:it|test|expect)\()",
    re.MULTILINE,
)
_LITERAL = re.compile(r"(?:^\W*|[=(\[,:]\s*)[bfru]?[\"'`][^\"'`]*$")
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
