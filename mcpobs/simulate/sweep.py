"""Replays the same operations with several caps of one limit, for a curve over the cap. Reads no lake.

A denied call changes what all other limits count, so each cap has an engine and counters of its own, and a curve is
exact for every kind of limit. What the lowest cap cannot touch is replayed once: callers whose counters never pass it
under the highest cap, and who share no counter with one whose do, get the same decisions under every cap between.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from mcpobs.baseline.traffic import Pair
from mcpobs.errors import UsageError
from mcpobs.policy.decision import Lane
from mcpobs.policy.model import REOPENED_FACTOR, Inspection, Policy
from mcpobs.simulate import caps
from mcpobs.simulate.caps import Swept
from mcpobs.simulate.findings import Findings
from mcpobs.simulate.recorded import Recorded
from mcpobs.simulate.replay import PriceOf, Replay, key_of

MAX_CAPS = 50
FACTORS = (0.5, 0.75, 1, 1.25, 1.5, 2, 3, 4)
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
    """One curve. First every operation goes to `probe`, then all of them again to `take`."""

    def __init__(self, text: str, policy: Policy, since: int, price_of: PriceOf) -> None:
        self.swept, self._caps = read(text, policy)
        self._policy, self._since, self._price_of = policy, since, price_of
        self._all = Findings(since, price_of)
        self._callers = Callers(policy)
        self._probe = _Probe(self._all, self._callers, self.swept, self._caps[0])
        self._widest = Replay(caps.with_cap(policy, self.swept, self._caps[-1]), self._probe, price_of)
        self._findings = [Findings(since, price_of) for _ in self._caps]
        self._replays = [
            Replay(caps.with_cap(policy, self.swept, cap), findings, price_of)
            for cap, findings in zip(self._caps, self._findings, strict=True)
        ]

    def probe(self, call: Recorded) -> None:
        """Replays an operation with the highest cap."""
        self._callers.add(call)
        self._widest.take(call)

    def probed(self) -> bool:
        """Ends the first round. Returns whether a second one is needed."""
        self._widest.close()
        return self._callers.settle()

    def take(self, call: Recorded) -> None:
        """Replays an operation with every cap, if the lowest one can touch its caller."""
        if self._callers.is_touched(call):
            for replay in self._replays:
                replay.take(call)

    def close(self) -> None:
        for replay in self._replays:
            replay.close()

    def curve(self, normal: Collection[Pair]) -> Curve:
        """The curve: of all callers with the highest cap, and the difference that lower ones make."""
        whole, widest = _point(0, self._all, normal), _point(0, self._findings[-1], normal)
        points = []
        for cap, findings in zip(self._caps, self._findings, strict=True):
            one = _point(cap, findings, normal)
            points.append(
                Point(
                    cap,
                    whole.cut - widest.cut + one.cut,
                    whole.cut_normal - widest.cut_normal + one.cut_normal,
                    whole.denied - widest.denied + one.denied,
                    whole.saved_microusd - widest.saved_microusd + one.saved_microusd,
                )
            )
        return Curve(self.swept, points)


def _point(cap: float, found: Findings, normal: Collection[Pair]) -> Point:
    cut_normal = sum(one.pair in normal for one in found.cut)
    return Point(cap, len(found.cut), cut_normal, found.denied, found.saved_microusd)


class _Probe:
    """Counts what the highest cap decides, and notes callers whose counters pass the lowest one."""

    def __init__(self, findings: Findings, callers: Callers, swept: Swept, lowest: float) -> None:
        self._findings, self._callers, self._swept = findings, callers, swept
        self._most = swept.most(lowest)

    def decided(self, call: Recorded, lane: Lane) -> None:
        self._findings.decided(call, lane)
        taken = () if lane.reserved is None else lane.reserved.counts
        for counter, count, one in zip(lane.counters, lane.counts, taken, strict=False):
            if not self._swept.is_counted_by(counter.id):
                continue
            most = self._most * (REOPENED_FACTOR if counter.id.endswith(".reopened") else 1)
            if one.before + count.amount > most:
                self._callers.touch(call)

    def withheld(self, call: Recorded, lane: Lane) -> None:
        self._findings.withheld(call, lane)

    def undecided(self, call: Recorded, rules: Iterable[str]) -> None:
        self._findings.undecided(call, rules)

    def found(self, call: Recorded, entry: Inspection) -> None:
        self._findings.found(call, entry)


class Callers:
    """Groups callers that share a counter: a tenant's, or the mean costs that a process has learned.

    Names are kept as hashes; two with one hash share a group, which costs time and nothing else."""

    def __init__(self, policy: Policy) -> None:
        every = [cap for layer in policy.layers for limit in layer.limits for cap in limit.caps]
        budgets = [budget.cap for layer in policy.layers for budget in layer.budgets]
        self._by_tenant = any(cap.by == "tenant" for cap in (*every, *budgets))
        self._by_process = bool(budgets) or any(layer.learned.bounds_cost for layer in policy.layers)
        self._above: dict[int, int] = {}
        self._touched: set[int] = set()

    def add(self, call: Recorded) -> None:
        caller = _caller(call)
        if caller not in self._above:
            self._above[caller] = caller
        if self._by_process:
            self._join(caller, hash(("process", call.resource)))
        if self._by_tenant and call.tenant is not None:
            self._join(caller, hash(("tenant", call.tenant)))

    def touch(self, call: Recorded) -> None:
        self._touched.add(_caller(call))

    def settle(self) -> bool:
        """Makes groups of those that were touched; returns whether there are any."""
        self._touched = {self._root(caller) for caller in self._touched}
        return bool(self._touched)

    def is_touched(self, call: Recorded) -> bool:
        return self._root(_caller(call)) in self._touched

    def _join(self, one: int, other: int) -> None:
        one, other = self._root(one), self._root(other)
        if one != other:
            self._above[other] = one

    def _root(self, name: int) -> int:
        above = self._above
        while (found := above.setdefault(name, name)) != name:
            above[name] = above.setdefault(found, found)  # halves the way for the next search
            name = found
        return name


def _caller(call: Recorded) -> int:
    return hash((key_of(call), call.tenant))


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
