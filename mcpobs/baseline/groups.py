"""Which tenants and roles have traffic unlike the others', number by number. Derives no number.

A tenant has a number of its own if its values differ from all other values by a two-sample Kolmogorov-Smirnov test
(`evidence.difference_p`) at FALSE_ALARM divided by the comparisons of the section (Bonferroni): if all tenants are
alike, at most one file in a hundred has such a number. Both samples need enough values for a number of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mcpobs.baseline import samples as sampling
from mcpobs.baseline.evidence import difference_p
from mcpobs.baseline.learned import Hours, Learned
from mcpobs.baseline.rules import Rules
from mcpobs.baseline.samples import Sample, Samples
from mcpobs.baseline.traffic import Hour
from mcpobs.limits.model import ANY_TOOL
from mcpobs.limits.paths import Path

FALSE_ALARM = 0.01
COMPARED = frozenset({"calls", "cost_usd", "duration_s", "distinct_tools", "calls_per_session", "calls_per_hour"})


@dataclass(frozen=True, slots=True)
class _Comparison:
    name: str
    path: Path
    mine: Sample
    others: list[float]


def groups(learned: Learned, section: str, everybody: Samples, rules: Rules) -> dict[str, dict[Path, Sample]]:
    """The samples that differ, by tenant or role. Empty if there are not two of them."""
    by_name = sampling.sessions_of(learned.sessions, section)
    if len(by_name) < 2:
        return {}
    comparisons = list(_comparisons(learned, section, everybody, rules))
    found: dict[str, dict[Path, Sample]] = {}
    for one in comparisons:
        if difference_p(one.mine.normal, one.others) <= FALSE_ALARM / len(comparisons):
            found.setdefault(one.name, {})[one.path] = one.mine
    return {name: found[name] for name in sorted(found)}


def _comparisons(learned: Learned, section: str, everybody: Samples, rules: Rules) -> Iterator[_Comparison]:
    normal = {session.pair for session in learned.normal}
    cut = {session.pair for session in learned.cut}
    for name, sessions in sampling.sessions_of(learned.sessions, section).items():
        mine = sampling.of_sessions(
            [session for session in sessions if session.pair in normal],
            [session for session in sessions if session.pair not in normal and session.pair not in cut],
            [session for session in sessions if session.pair in cut],
            learned.price,
        )
        mine |= _hours(learned.hours, section, name)
        for path, sample in mine.items():
            if path[-1] not in COMPARED or path not in everybody or ANY_TOOL in path:
                continue
            others = _without(everybody[path].normal, sample.normal)
            if min(len(sample.normal), len(others)) >= rules.min_sessions:
                yield _Comparison(name, path, sample, others)


def _hours(hours: Hours, section: str, name: str) -> dict[Path, Sample]:
    def mine(hour: Hour) -> bool:
        return name == (hour.tenant if section == "tenants" else hour.role)

    return sampling.of_hours(filter(mine, hours.normal), filter(mine, hours.odd), filter(mine, hours.cut))


def _without(values: list[float], mine: list[float]) -> list[float]:
    """All values but those of one group."""
    left = sorted(mine, reverse=True)
    others = []
    for value in sorted(values):
        if left and left[-1] == value:
            left.pop()
        else:
            others.append(value)
    return others
