"""Measures a scanner on labelled texts: recall and false positives per tier and family, with 95 % intervals. No I/O.

A text is a JSON object with `text`, `label` (1 is an attack), and where known `family`, `tier` and `group`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from mcpobs.errors import UsageError

RATES: Final = (0.001, 0.003, 0.005, 0.01, 0.02, 0.05, 0.1)
COMMON_BENIGN: Final = frozenset({"plain", "hard"})
"""Tiers that count towards the false-positive rate. Texts that quote attacks have rows of their own."""

_Z: Final = 1.959964  # of a two-sided 95 % interval


@dataclass(frozen=True, slots=True)
class Labelled:
    text: str
    attack: bool
    family: str = "all"
    tier: str = "attack"
    group: str = ""
    source: str = ""


class Share(NamedTuple):
    """The number of texts, and of those that were found."""

    found: int
    of: int

    @property
    def ratio(self) -> float | None:
        return self.found / self.of if self.of else None

    def interval(self) -> tuple[float, float]:
        """Returns Wilson's 95 % interval (Wilson 1927); (0, 1) for no texts."""
        if not self.of:
            return 0.0, 1.0
        share, spread = self.found / self.of, _Z * _Z / self.of
        middle = (share + spread / 2) / (1 + spread)
        half = _Z / (1 + spread) * math.sqrt(share * (1 - share) / self.of + spread / (4 * self.of))
        return max(0.0, middle - half), min(1.0, middle + half)


@dataclass(frozen=True, slots=True)
class Line:
    """The texts of one tier, or of one family in it."""

    attack: bool
    tier: str
    family: str | None
    share: Share


@dataclass(frozen=True, slots=True)
class Evaluation:
    rate: float
    threshold: float
    recall: Share
    precision: Share
    false_positives: Share
    lines: tuple[Line, ...]
    curve: tuple[tuple[float, float, Share, Share], ...]
    """Per rate: the threshold, false positives, recall."""


def read(lines: Iterable[str]) -> list[Labelled]:
    """Reads labelled texts. Raises UsageError with the number of the first line without text or label."""
    found = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            found.append(_labelled(line, number))
    return found


def evaluate(
    rows: Sequence[Labelled], score: Callable[[str], float], threshold: Callable[[float], float], rate: float
) -> Evaluation:
    """Scores every text once. `threshold` names the score of a rate."""
    return measured(rows, [score(row.text) for row in rows], threshold, rate)


def measured(
    rows: Sequence[Labelled],
    scores: Sequence[float],
    threshold: Callable[[float], float],
    rate: float,
    rates: Sequence[float] = RATES,
) -> Evaluation:
    limit = threshold(rate)
    hits = [score > limit for score in scores]
    recall = _share(rows, hits, lambda row: row.attack)
    flagged = [row for row, hit in zip(rows, hits, strict=True) if hit]
    precision = Share(sum(row.attack for row in flagged), len(flagged))
    curve = []
    for each in rates:
        at = threshold(each)
        above = [score > at for score in scores]
        curve.append((each, at, _share(rows, above, _is_common), _share(rows, above, lambda row: row.attack)))
    return Evaluation(rate, limit, recall, precision, _share(rows, hits, _is_common), _lines(rows, hits), tuple(curve))


def as_json(made: Evaluation) -> dict[str, object]:
    """Returns the evaluation as JSON values. Shares are given as found, of, ratio, low, high."""
    return {
        "rate": made.rate,
        "threshold": made.threshold,
        "recall": _shown(made.recall),
        "precision": _shown(made.precision),
        "false_positives": _shown(made.false_positives),
        "tiers": [_line(line) for line in made.lines if line.family is None],
        "families": [_line(line) for line in made.lines if line.family is not None],
        "thresholds": [
            {"rate": rate, "threshold": at, "false_positives": _shown(wrong), "recall": _shown(right)}
            for rate, at, wrong, right in made.curve
        ],
    }


def _labelled(line: str, number: int) -> Labelled:
    try:
        given = json.loads(line)
    except ValueError as error:
        raise UsageError(f"line {number} is not JSON ({error})", "write one JSON object in each line") from None
    if not isinstance(given, Mapping) or not isinstance(given.get("text"), str) or given.get("label") not in (0, 1):
        raise UsageError(f"line {number} has no text or no label", 'give {"text": "...", "label": 0 or 1} in each line')
    attack = given["label"] == 1
    names = {name: str(given[name]) for name in ("family", "tier", "group", "source") if given.get(name) is not None}
    return Labelled(given["text"], attack, **{"tier": "attack" if attack else "plain", **names})


def _is_common(row: Labelled) -> bool:
    return not row.attack and row.tier in COMMON_BENIGN


def _share(rows: Sequence[Labelled], hits: Sequence[bool], counts: Callable[[Labelled], bool]) -> Share:
    found = [hit for row, hit in zip(rows, hits, strict=True) if counts(row)]
    return Share(sum(found), len(found))


def _lines(rows: Sequence[Labelled], hits: Sequence[bool]) -> tuple[Line, ...]:
    counts: dict[tuple[bool, str, str | None], list[bool]] = {}
    for row, hit in zip(rows, hits, strict=True):
        for family in (None, row.family):
            counts.setdefault((row.attack, row.tier, family), []).append(hit)
    order = sorted(counts, key=lambda key: (not key[0], key[1], key[2] or ""))
    return tuple(Line(*key, Share(sum(counts[key]), len(counts[key]))) for key in order)


def _shown(share: Share) -> dict[str, float | None]:
    low, high = share.interval()
    return {"found": share.found, "of": share.of, "ratio": share.ratio, "low": low, "high": high}


def _line(line: Line) -> dict[str, object]:
    family = {} if line.family is None else {"family": line.family}
    return {"attack": line.attack, "tier": line.tier, **family, **_shown(line.share)}
