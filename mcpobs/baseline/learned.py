"""What limits are learned from. Reads nothing and derives nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mcpobs.baseline.traffic import Following, Hour, Latency, Price, Session
from mcpobs.limits.model import Excluded


@dataclass(frozen=True, slots=True)
class Hours:
    """The busiest hours of callers, day by day: of normal sessions alone, with other sessions, and cut by a policy."""

    normal: Sequence[Hour] = ()
    odd: Sequence[Hour] = ()
    cut: Sequence[Hour] = ()


@dataclass(frozen=True, slots=True)
class LeftOut:
    """How many of the sessions were left out, by reason, and how many more have a loop and stay."""

    sessions: int
    loops: int
    sizes: int
    shapes: int
    more_loops: int

    @property
    def share(self) -> float:
        return (self.loops + self.sizes + self.shapes) / self.sessions


@dataclass(frozen=True, slots=True)
class Learned:
    """The traffic from which numbers are learned. `latencies`, `shapes`, `forms` and `followings` are those of normal
    sessions; `cut` are sessions with a denied call, which may be normal."""

    sessions: Sequence[Session]
    normal: Sequence[Session]
    excluded: Sequence[Excluded]
    latencies: Sequence[Latency]
    shapes: Mapping[str, tuple[str, ...]]
    price: Price
    server: str | None = None
    cut: Sequence[Session] = ()
    censored: Sequence[Excluded] = ()
    hours: Hours = Hours()
    followings: Sequence[Following] = ()
    run: str | None = None
    forms: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    left_out: LeftOut | None = None
