"""Replays the same operations with several caps of one limit at once, for a curve over the cap. Reads no lake.

Each cap has an engine and counters of its own, because a denied call changes what all other limits count. So a curve is
exact for every kind of limit, takes one pass over the lake, and as many decisions a call as it has caps.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from mcpobs.baseline.traffic import Pair
from mcpobs.errors import UsageError
from mcpobs.policy.model import Policy
from mcpobs.simulate import caps
from mcpobs.simulate.caps import Swept
from mcpobs.simulate.findings import Findings
from mcpobs.simulate.recorded import Recorded
from mcpobs.simulate.replay import PriceOf, Replay

MAX_CAPS = 50
FACTORS = (0.25, 0.5, 0.75, 1, 1.5, 2, 3, 4)
"""Caps of a curve without a range, as parts of the policy's own."""
_RANGE = re.compile(r"([0-9.]+):([0-9.]+)(?::([0-9.]+))?")
_HINT = "write e.g. --sweep session.calls, or --sweep session.calls=10:100:10"


@dataclass(frozen=True, slots=True)
class Point:
    """What one cap does."""

    cap: float
    cut: int
    cut_normal: int
    denied: int
    saved_microusd: int


@dataclass(frozen=True, slots=True)
class Curve:
    """What several caps of a limit do, lowest first; `swept.cap` is the policy's own."""

    swept: Swept
    points: Sequence[Point]


class Sweep:
    """The replays of one curve."""

    def __init__(self, text: str, policy: Policy, since: int, price_of: PriceOf) -> None:
        self.swept, self._caps = read(text, policy)
        self._findings = [Findings(since, price_of) for _ in self._caps]
        self._replays = [
            Replay(caps.with_cap(policy, self.swept, cap), findings, price_of)
            for cap, findings in zip(self._caps, self._findings, strict=True)
        ]

    def take(self, call: Recorded) -> None:
        for replay in self._replays:
            replay.take(call)

    def close(self) -> None:
        for replay in self._replays:
            replay.close()

    def curve(self, normal: Collection[Pair]) -> Curve:
        points = [
            Point(
                cap,
                len(found.cut),
                sum(one.pair in normal for one in found.cut),
                found.denied,
                found.saved_microusd,
            )
            for cap, found in zip(self._caps, self._findings, strict=True)
        ]
        return Curve(self.swept, points)


def read(text: str, policy: Policy) -> tuple[Swept, list[float]]:
    """The limit and the caps of `LIMIT[=from:to[:step]]`; without a range, those around the policy's own cap."""
    name, _, wanted = text.partition("=")
    swept = caps.find(policy, name.strip())
    is_whole = swept.scale == 1 and not swept.is_money
    if not wanted:
        found = {swept.cap * factor for factor in FACTORS}
        return swept, sorted({max(1, round(cap)) for cap in found} if is_whole else found)
    match = _RANGE.fullmatch(wanted.strip())
    if match is None:
        raise UsageError(f"--sweep {text!r} has no range", _HINT)
    try:
        first, last = float(match[1]), float(match[2])
        step = float(match[3]) if match[3] else (last - first) / 10
    except ValueError:
        raise UsageError(f"--sweep {text!r} has no range", _HINT) from None
    if step <= 0 or last < first:
        raise UsageError(f"--sweep {wanted} does not rise", _HINT)
    count = math.floor((last - first) / step + 1e-9) + 1
    if count > MAX_CAPS:
        raise UsageError(f"--sweep {wanted} has {count:,} values, and at most {MAX_CAPS} are run", "take a larger step")
    found = {round(first + step * number, 6) for number in range(count)}
    return swept, sorted({round(cap) for cap in found} if is_whole else found)
