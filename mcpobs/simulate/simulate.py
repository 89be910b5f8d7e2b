"""Replays a window of the lake against a policy, and compares what it cuts with loops and normal sessions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from mcpobs.baseline import traffic
from mcpobs.baseline.learn import set_apart
from mcpobs.baseline.traffic import Pair
from mcpobs.policy.model import HALT_FOR_NS, Policy
from mcpobs.policy.state import IDLE_NS
from mcpobs.queries.plan import Plan
from mcpobs.queries.run import check_interrupted
from mcpobs.reports.window import Window
from mcpobs.settings import Config
from mcpobs.simulate.findings import Cut, Findings
from mcpobs.simulate.recorded import Extent, Recorded, extent, operations
from mcpobs.simulate.replay import PriceOf, Replay
from mcpobs.simulate.sweep import Curve, Sweep

Reached = Callable[[int, int], None]
"""Takes how many operations are replayed, and how many there are."""
_REPORT_EVERY = 100


@dataclass(frozen=True, slots=True)
class Simulated:
    """What a policy would have done in a window."""

    findings: Findings
    cut: Sequence[Cut]
    """The sessions that it cuts: those that save most first."""
    loops: Mapping[str, str]
    """The loop of each session with a loop signature."""
    normal: frozenset[Pair]
    """The sessions that a baseline would learn from."""
    curve: Curve | None
    sessionless: int

    @property
    def loops_cut(self) -> int:
        return sum(session in self.loops for session in {one.pair.session for one in self.cut})

    @property
    def normal_cut(self) -> int:
        return sum(one.pair in self.normal for one in self.cut)


def simulate(
    plan: Plan,
    policy: Policy,
    window: Window,
    server: str | None,
    config: Config,
    sweep: str | None = None,
    reached: Reached = lambda done, total: None,
) -> Simulated:
    """Replays the window, and as long before it as counters reach back."""
    price_of = prices_of(config)
    findings = Findings(window.since, price_of)
    replay = Replay(policy, findings, price_of)
    swept = None if sweep is None else Sweep(sweep, policy, window.since, price_of)
    found = extent(plan, max(0, window.since - reach_ns(policy)), window.until, server)
    takes = [replay.take] if swept is None else [replay.take, swept.probe]
    _play(plan, found, server, takes, reached)
    replay.close()
    if swept is not None:
        if swept.probed():
            _play(plan, found, server, [swept.take], reached)
        swept.close()
    loops, kept = _compared(plan, window, server) if findings.calls else ({}, frozenset())
    cut = sorted(findings.cut, key=lambda one: (-one.saved_microusd, -one.denied, one.at_call, one.pair.session))
    return Simulated(findings, cut, loops, kept, None if swept is None else swept.curve(kept), found.sessionless)


def _play(
    plan: Plan, found: Extent, server: str | None, takes: Sequence[Callable[[Recorded], None]], reached: Reached
) -> None:
    for done, call in enumerate(operations(plan, found, server)):
        if done % _REPORT_EVERY == 0:
            check_interrupted()
            reached(done, found.operations)
        for take in takes:
            take(call)


def reach_ns(policy: Policy) -> int:
    """How long before a window its counters begin: a day, in which an idle session is forgotten, or a longer window of
    the policy."""
    windows = [IDLE_NS, HALT_FOR_NS]
    for layer in policy.layers:
        windows += [cap.window_ns for limit in layer.limits for cap in limit.caps]
        windows += [budget.cap.window_ns for budget in layer.budgets]
    return max(windows)


def prices_of(config: Config) -> PriceOf:
    """The fixed prices of tools by the configured book."""
    known: dict[tuple[str | None, str], int | None] = {}

    def price_of(server: str | None, tool: str) -> int | None:
        if (server, tool) not in known:
            rule = config.prices.of(server, tool)
            if len(known) > 10_000:
                known.clear()
            known[server, tool] = None if rule is None else rule.call_microusd
        return known[server, tool]

    return price_of


def _compared(plan: Plan, window: Window, server: str | None) -> tuple[dict[str, str], frozenset[Pair]]:
    """The loops of a window by session, and its normal sessions: each server's by themselves, as a baseline's are."""
    sessions = traffic.sessions(plan, window, server)
    servers = {use.service for session in sessions for use in session.uses}
    loops: dict[str, str] = {}
    known: set[Pair] = set()
    odd: set[Pair] = set()
    for one in traffic.loops(plan, window, server):
        loops.setdefault(one.session, f"{one.pattern} × {one.calls}")
    for name in servers:
        if name is None:
            continue
        apart = set_apart(plan, window, name)
        known |= {session.pair for session in apart.sessions}
        odd |= apart.excluded.keys()  # for one of its servers; then it is not normal
    return loops, frozenset(known - odd)
