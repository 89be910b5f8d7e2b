"""Derives each number from its sample: the limit, and what it would have cut and will cut. Reads nothing."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import replace

from mcpobs.baseline import samples as sampling
from mcpobs.baseline.evidence import allowed_over, further_over, quantile
from mcpobs.baseline.rules import Rules, limit_from, plain, tidy, usd
from mcpobs.baseline.samples import Sample, Samples
from mcpobs.limits.model import Evidence, Limit
from mcpobs.limits.paths import Path


def numbers_of(found: Samples, rules: Rules) -> tuple[dict[Path, Limit], dict[Path, int]]:
    """The numbers, and how many values those have that are refused."""
    numbers: dict[Path, Limit] = {}
    refused: dict[Path, int] = {}
    for path, sample in found.items():
        if len(sample.normal) < rules.min_sessions:
            if any(sample.normal) or path[-1] not in _MAY_BE_ZERO_ONLY:
                refused[path] = len(sample.normal)
            continue
        limit = number(path, sample, rules)
        if limit is not None:
            numbers[path] = limit
    return numbers, refused


def number(path: Path, sample: Sample, rules: Rules) -> Limit | None:
    """A number with its evidence; None if its rule gives none, e.g. no cap on cost if nothing costs anything."""
    ordered = sorted(sample.normal)
    if path[-1] in _MAY_BE_ZERO_ONLY and ordered[-1] == 0:
        return None
    shown = _SHOWN.get(path[-1], plain)
    basis = _with_cut(path, _basis(path, ordered, len(sample.cut), rules), sample, shown, rules)
    value = limit_from(path, basis, rules.factor_calls)
    if value is None or (path[-1] == "error_rate" and value >= 1):
        return None
    return Limit(value, _effects(path, basis, ordered, sample, sampling.in_unit(path, value)))


_MAY_BE_ZERO_ONLY = frozenset({"cost_usd", "duration_s"})
_SHOWN: dict[str, Callable[[float], float]] = {"cost_usd": usd, "min": lambda value: -plain(value)}


def _basis(path: Path, ordered: Sequence[float], cut: int, rules: Rules) -> Evidence:
    """The part of the evidence that the limit follows from."""
    shown = _SHOWN.get(path[-1], plain)
    if rules.strategy == "cut-rate":
        assert rules.cut_rate is not None
        # Sessions that were cut wanted more than anybody knows: they are the largest.
        beyond = max(0, (allowed_over(len(ordered) + cut, rules.cut_rate) or 0) - cut)
        value = shown(ordered[-1 - min(beyond, len(ordered) - 1)])
        return replace(_largest(path, shown(ordered[-1])), order_statistic=value)
    if path[-1] == "cost_usd":
        return Evidence(mean=usd(round(sum(ordered) / len(ordered))), factor=tidy(rules.factor_cost))
    return _largest(path, shown(ordered[-1]))


def _largest(path: Path, value: float) -> Evidence:
    return Evidence(observed_min=value) if path[-1] == "min" else Evidence(observed_max=value)


def _with_cut(path: Path, basis: Evidence, sample: Sample, shown: Callable[[float], float], rules: Rules) -> Evidence:
    """The same evidence with the value at which sessions were cut, if the rule alone would give less."""
    cut = [shown(at) for at, wanted in sample.cut if wanted > at or path[-1] == "cost_usd"]
    without = limit_from(path, basis, rules.factor_calls)
    return replace(basis, cut_at=max(cut)) if cut and without is not None and max(cut) > without else basis


def _effects(path: Path, basis: Evidence, ordered: Sequence[float], sample: Sample, limit: float) -> Evidence:
    shown = _SHOWN.get(path[-1], tidy)
    over = len(ordered) - bisect_right(ordered, limit)
    cut = sum(wanted > limit for _, wanted in sample.cut)
    odd = sum(value > limit for value in sample.odd)
    others = len(ordered) + len(sample.odd)
    return replace(
        basis,
        p50=shown(quantile(ordered, 0.5)),
        p95=shown(quantile(ordered, 0.95)),
        n=len(ordered),
        censored=len(sample.cut) or None,
        would_have_cut=over + cut + odd,
        next_1000_cut=predicted(len(ordered), over, len(sample.cut), cut),
        n_all=others + len(sample.cut),
        next_1000_all=further_over(others + len(sample.cut), over + odd + cut),
    )


def predicted(n: int, over: int, censored: int, cut: int, m: int = 1000) -> tuple[int, int]:
    """How many of m further sessions go over: at least as if no censored session were normal, at most as if all were
    (`censored` of them, `cut` over the limit)."""
    return further_over(n, over, m)[0], further_over(n + censored, over + cut, m)[1]
