"""Finds extreme sizes among counts: how many of the largest lie far beyond all others. Pure: numbers in, numbers out.

Sizes are compared as log2(n + 1), in bits, because work varies by factors. Runaways must not hide themselves, so each
test asks for the k largest what the rest says of them, for each k up to a share of MOST, the largest k first.

- Far off, as a group: nothing lies in the gap below it, and the gap is too wide for the tail of the rest. In a Pareto
  tail of any weight the k-th spacing of logarithms, times k, is exponential with one and the same mean (Rényi 1953, "On
  the theory of order statistics"); lighter tails have narrower ones. The gap is tested at FALSE_ALARM over all k. A
  second kind of honest work lies beyond a gap too, so the group has to be far: the mean of the gap and of its median's
  distance is FAR bits (11 times as many calls), and from MANY calls on FAR_OF_MANY (5 times).
- One by one: beyond the fence Q3 + 7 × (Q3 - median), 3 bits above Q3 at least. The spread is that of the upper half
  alone, so that a long tail to the right moves the fence out with it: of a lognormal sample of any width one value in
  30 million lies beyond it, of a Pareto sample of any weight one in 512. Estimated from 100 sessions, it is one in 100.

A mode, which a valley divides from the others, with at least a share of KIND is a kind of session: it has a fence of
its own and is never cut in two; it is far off as a group if its low end and its median are far from the top of the mode
below. `bench/planted_baseline.py` measures how often honest sessions are left out.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from mcpobs.baseline.evidence import quantile

MOST = 0.2
"""Largest share that is left out: beyond it, a size is how this traffic is."""

FALSE_ALARM = 0.01
KIND = 0.03
GAP = 1.0
VALLEY = 0.25
FAR = 3.5
FAR_OF_MANY = 2.3
MANY = 150
LEAST_MEAN = 0.36  # bits: equal values have no tail to measure, and one value must be 3 bits off
SPREADS = 7.0
LEAST_BEYOND = 3.0
MIN_COMPARED = 8  # quartiles of fewer values mean nothing


@dataclass(frozen=True, slots=True)
class Extreme:
    """The values above `ceiling` are extreme. `usual` is the third quartile of the others, `kinds` the least and the
    largest value and the size of each mode among them."""

    ceiling: float = math.inf
    usual: float = math.inf
    kinds: tuple[tuple[int, int, int], ...] = ()


def extreme(values: Sequence[int], apart: Sequence[int] = ()) -> Extreme:
    """Divides values into usual and extreme ones. `apart` are values of work of another kind: a group mostly of those
    is not far off."""
    if len(values) < MIN_COMPARED:
        return Extreme()
    ordered = sorted(values)
    bits = [math.log2(value + 1) for value in ordered]
    least = len(bits) - max(1, math.floor(MOST * len(bits)))
    end = _group(bits, least, [math.log2(value + 1) for value in sorted(apart)])
    starts = _modes(bits[:end])
    last = _single(bits, [*starts, end], least)
    kept = [*starts, last]
    kinds = tuple((ordered[low], ordered[high - 1], high - low) for low, high in pairwise(kept))
    ceiling = ordered[last] - 1 if last < len(ordered) else max(2 ** _fences(bits, kept) - 1, ordered[-1])
    return Extreme(ceiling, quantile(ordered[:last], 0.75), kinds)


def _group(bits: Sequence[float], least: int, apart: Sequence[float]) -> int:
    """Where the values begin that are far off as a group."""
    modes = _modes(bits)
    for start in range(least, len(bits)):
        if not (_is_mode_far(bits, modes, start) if start in modes else _is_gap_far(bits, start, least)):
            continue
        others = len(apart) - bisect_left(apart, bits[start])
        if not 2 * others >= len(bits) - start >= MIN_COMPARED:
            return start
    return len(bits)


def _is_gap_far(bits: Sequence[float], start: int, least: int) -> bool:
    below, above = bits[start - 1], bits[start]
    return (
        above - below >= GAP
        and _is_far(below, above, quantile(bits[start:], 0.5))
        and _unlikely(bits, start, len(bits) - least)
    )


def _is_mode_far(bits: Sequence[float], modes: Sequence[int], start: int) -> bool:
    """Whether a mode is far beyond the one below: by quantiles, because single values may lie between the two."""
    low = max(one for one in modes if one < start)
    below, above = _quantile(bits, low, start, 0.98), _quantile(bits, start, len(bits), 0.1)
    return _is_far(below, above, _quantile(bits, start, len(bits), 0.5))


def _is_far(below: float, above: float, middle: float) -> bool:
    """Whether a group is far: by its distance from the largest of the others, mean of its low end and its median."""
    return (above + middle) / 2 - below >= (FAR_OF_MANY if 2**middle > MANY else FAR)


def _unlikely(bits: Sequence[float], start: int, compared: int) -> bool:
    """Whether the gap is too wide for the spacings below it: at FALSE_ALARM divided by `compared`."""
    top = len(bits) - start
    below = range(start - 1, max(0, start - 1 - max(MIN_COMPARED, compared)), -1)
    mean = sum((len(bits) - n) * (bits[n] - bits[n - 1]) for n in below) / len(below)
    return top * (bits[start] - bits[start - 1]) > math.log(compared / FALSE_ALARM) * max(mean, LEAST_MEAN)


def _modes(bits: Sequence[float]) -> list[int]:
    """Where each mode begins, in ascending order: behind a valley that has a share of VALLEY of the lower of the peaks
    beside it. Values too few for a kind belong to the mode below."""
    heights, least = _heights(bits), max(MIN_COMPARED, KIND * len(bits))
    modes, peak, valley = [0], 0, 0
    for place, height in enumerate(heights):
        if height < heights[valley]:
            valley = place
        start = bisect_left(bits, (valley + 1) / 2)
        is_kind = min(start - modes[-1], len(bits) - start) >= least
        if is_kind and height > heights[valley] <= VALLEY * min(heights[peak], max(heights[valley:])):
            modes.append(start)
            peak = valley = place
        elif height >= heights[peak]:
            peak = valley = place
    return modes


def _heights(bits: Sequence[float]) -> list[float]:
    """How many values each half bit holds, smoothed with its neighbours."""
    counts = [0] * (int(2 * bits[-1]) + 3)
    for one in bits:
        counts[int(2 * one) + 1] += 1
    return [(counts[n - 1] + 2 * counts[n] + counts[n + 1]) / 4 for n in range(1, len(counts) - 1)]


def _single(bits: Sequence[float], starts: Sequence[int], least: int) -> int:
    """Where the values begin that lie beyond the fence of the rest, within the last of the modes that begin at
    `starts`; the last of those is the end."""
    *modes, end = starts
    for last in range(max(modes[-1] + MIN_COMPARED - 1, least), end):
        if bits[last] > bits[last - 1] and bits[last] > _fences(bits, [*modes, last]):
            return last
    return end


def _fences(bits: Sequence[float], starts: Sequence[int]) -> float:
    """The fence of all modes that begin at `starts`; the last of those is the end."""
    return max(_fence(bits, low, high) for low, high in pairwise(starts))


def _fence(bits: Sequence[float], low: int, high: int) -> float:
    median, third = _quantile(bits, low, high, 0.5), _quantile(bits, low, high, 0.75)
    return third + max(SPREADS * (third - median), LEAST_BEYOND)


def _quantile(bits: Sequence[float], low: int, high: int, q: float) -> float:
    """The q-quantile of bits[low:high], without a copy."""
    place = low + q * (high - low - 1)
    below = math.floor(place)
    above = min(below + 1, high - 1)
    return bits[below] + (bits[above] - bits[below]) * (place - below)
