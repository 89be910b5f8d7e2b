"""Samples: what sessions and callers did, by the number of the limits file that bounds it. Derives no number."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from mcpobs.baseline.traffic import Hour, Price, Session
from mcpobs.limits.model import ANY_TOOL, ERROR_RATE_CALLS
from mcpobs.limits.paths import Path


@dataclass(slots=True)
class Sample:
    """The values of one number: of normal sessions, of others, and of those that a policy cut.

    A cut session has the value at which it was cut, and the least that it wanted. Costs are in millionths of a dollar,
    a `min` is how far below zero.
    """

    normal: list[float] = field(default_factory=list)
    odd: list[float] = field(default_factory=list)
    cut: list[tuple[float, float]] = field(default_factory=list)


Samples = Mapping[Path, Sample]


def of_sessions(
    normal: Iterable[Session], odd: Iterable[Session], cut: Iterable[Session], price: Price
) -> dict[Path, Sample]:
    """The samples of all numbers of a session and of its tools."""
    found: dict[Path, Sample] = defaultdict(Sample)
    for session in normal:
        for path, value in values(session, price):
            found[path].normal.append(value)
    for session in odd:
        for path, value in values(session, price):
            found[path].odd.append(value)
    for session in cut:
        reached, unit = dict(values(session, price)), max(_unit(session, price), default=0)
        for path, wanted in values(session.wanted(), price):
            at = reached.get(path, 0)
            # The next call went over a cap on cost, so the cap was at most one call above the sum spent.
            found[path].cut.append((at + unit if path == ("session", "cost_usd") else at, wanted))
    return found


def of_hours(normal: Iterable[Hour], odd: Iterable[Hour], cut: Iterable[Hour]) -> dict[Path, Sample]:
    """The samples of the numbers per hour: a value for each caller and day."""
    found: dict[Path, Sample] = defaultdict(Sample)
    for path, hour in _by_path(normal):
        found[path].normal.append(hour.calls)
    for path, hour in _by_path(odd):
        found[path].odd.append(hour.calls)
    for path, hour in _by_path(cut):
        found[path].cut.append((hour.calls, hour.wanted))
    return found


def values(session: Session, price: Price) -> Iterator[tuple[Path, float]]:
    """The values of a session, each once. Those of `*` are its most used tool's, its largest arguments and so on: by
    them no tool that was seen is cut, however rare it is."""
    yield _CALLS, session.calls
    yield _COST, session.cost_microusd(price)
    yield _DURATION, session.duration_s
    yield _DISTINCT, session.distinct_tools
    most: dict[Path, float] = {}
    for use in session.uses:
        tool = use.tool
        if tool is None or tool == ANY_TOOL:  # the latter is no name that a limit of its own could have
            continue
        for key, value in (
            (_CALLS_PER_SESSION, use.calls),
            (_ERROR_RATE, error_rate(use.failed, use.calls)),
            (_ARGUMENTS, use.args_bytes),
            (_RESULT, use.result_bytes),
        ):
            if value is not None:
                yield ("tools", tool, *key), value
                if value > most.get(key, -1):
                    most[key] = value
    for key, value in most.items():
        yield ("tools", ANY_TOOL, *key), value
    for one in session.values:
        yield ("tools", one.tool, "argument_values", one.argument, one.measure), one.bound


_CALLS, _COST, _DURATION = ("session", "calls"), ("session", "cost_usd"), ("session", "duration_s")
_DISTINCT = ("session", "distinct_tools")
_CALLS_PER_SESSION: Path = ("calls_per_session",)
_ERROR_RATE: Path = ("error_rate",)
_ARGUMENTS: Path = ("arguments", "max_bytes")
_RESULT: Path = ("result", "max_bytes")


def in_unit(path: Path, limit: float) -> float:
    """A limit in the unit of its sample."""
    match path[-1]:
        case "cost_usd":
            return round(limit * 1_000_000)  # the limit was one before it was written as dollars
        case "min":
            return -limit
    return limit


def error_rate(failed: int, calls: int) -> float:
    """The share of calls that failed, of ERROR_RATE_CALLS at least, rounded up to four digits."""
    return math.ceil(10_000 * failed / max(calls, ERROR_RATE_CALLS)) / 10_000


def _unit(session: Session, price: Price) -> Iterator[int]:
    """What a denied call would have cost."""
    for use in session.denied:
        yield use.unit_microusd or price.get((use.service, use.tool), 0)


def _by_path(hours: Iterable[Hour]) -> Iterator[tuple[Path, Hour]]:
    """The hours by the numbers that bound them; of each caller and day the busiest tool's once more, for `*`."""
    most: dict[tuple[str, str | None, int], Hour] = {}
    for hour in hours:
        if hour.tool is None:
            yield ("key", "calls_per_hour"), hour
        elif hour.tool != ANY_TOOL:
            yield ("tools", hour.tool, "calls_per_hour"), hour
            at = (hour.key, hour.tenant, hour.day)
            if at not in most or hour.calls > most[at].calls:
                most[at] = hour
    for hour in most.values():
        yield ("tools", ANY_TOOL, "calls_per_hour"), hour


def sessions_of(sessions: Sequence[Session], section: str) -> dict[str, list[Session]]:
    """The sessions by tenant or by role."""
    found: dict[str, list[Session]] = defaultdict(list)
    for session in sessions:
        name = session.pair.tenant if section == "tenants" else session.role
        if name is not None:
            found[name].append(session)
    return found
