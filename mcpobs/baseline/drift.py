"""What predictions are worth on later sessions: numbers of the first two thirds, judged on the last third.

A prediction assumes that sessions come in no particular order. Traffic drifts, so the file says how many of its numbers
would have kept their word.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mcpobs.baseline import samples as sampling
from mcpobs.baseline.evidence import further_over
from mcpobs.baseline.learned import Learned
from mcpobs.baseline.numbers import numbers_of
from mcpobs.baseline.rules import Rules
from mcpobs.baseline.samples import Sample, Samples
from mcpobs.limits.model import Drift, Limit
from mcpobs.limits.paths import Path

MIN_JUDGED = 10  # fewer later values say nothing of a number


@dataclass(frozen=True, slots=True)
class Judged:
    """A number on further sessions: how many of `m` it cut, and between which two it was predicted to."""

    path: Path
    m: int
    cut: int
    low: int
    high: int

    @property
    def held(self) -> bool:
        return self.low <= self.cut <= self.high


def drift(learned: Learned, rules: Rules) -> Drift | None:
    """None if a part has too few sessions."""
    ordered = sorted(learned.normal, key=lambda session: session.first_unix_nano)
    first, last = ordered[: 2 * len(ordered) // 3], ordered[2 * len(ordered) // 3 :]
    if len(first) < rules.min_sessions or len(last) < MIN_JUDGED:
        return None
    past, further = (sampling.of_sessions(part, (), (), learned.price) for part in (first, last))
    judged = [one for one in judge(numbers_of(past, rules)[0], past, further) if one.m >= MIN_JUDGED]
    return Drift(
        first=len(first),
        last=len(last),
        numbers=len(judged),
        held=sum(one.held for one in judged),
        cut_more=sum(one.cut > one.high for one in judged),
    )


def judge(numbers: Mapping[Path, Limit], past: Samples, further: Samples, *, everybody: bool = False) -> list[Judged]:
    """Holds each number that has a prediction against further values: of normal sessions, or of `everybody`."""
    judged = []
    for path, limit in numbers.items():
        if limit.evidence.next_1000_cut is None or path not in past or path not in further:
            continue
        before, after = (_values(found[path], everybody) for found in (past, further))
        bound = sampling.in_unit(path, limit.value)
        low, high = further_over(len(before), sum(value > bound for value in before), len(after))
        judged.append(Judged(path, len(after), sum(value > bound for value in after), low, high))
    return judged


def _values(sample: Sample, everybody: bool) -> Sequence[float]:
    return [*sample.normal, *sample.odd] if everybody else sample.normal
