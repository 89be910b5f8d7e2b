"""Counts what a replay decides: sessions cut, calls denied, money saved; by session, rule and tenant."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from mcpobs.baseline.traffic import Pair
from mcpobs.policy.decision import Lane
from mcpobs.policy.model import Inspection
from mcpobs.policy.state import IDLE_NS
from mcpobs.simulate.recorded import Recorded
from mcpobs.simulate.replay import PriceOf, spent_microusd

COUNTED = frozenset({"tools/call", "prompts/get", "resources/read", "resources/subscribe"})
"""Calls that findings are counted in; a halted session's pings are refused too, and counted nowhere."""
HALT = "halt"
"""What decisions name as the rule of a call that comes after a halt."""
_FORGET_EVERY = 50_000


@dataclass(slots=True)
class Cut:
    """A session that the policy cuts. `at_call` and `calls` count its calls from 1; money is in micro-dollars."""

    pair: Pair
    service: str | None
    tenant: str | None
    rule: str
    code: str
    at_call: int
    halted_at: int | None = None
    halted_by: str | None = None
    """The limit or rule that halts it; None if another session of its key was halted."""
    calls: int = 0
    denied: int = 0
    saved_microusd: int = 0


@dataclass(slots=True)
class Denied:
    """What one rule denies, or what is denied of one tenant. `code` is that of a rule's first denial; `halted` counts
    the calls among them that came after it had halted their session."""

    code: str = ""
    halted: int = 0
    calls: int = 0
    denied: int = 0
    saved_microusd: int = 0
    sessions: int = 0
    cut: int = 0


@dataclass(slots=True)
class Inspected:
    """Calls in whose messages one entry of `inspect` found something."""

    action: str
    calls: int = 0


@dataclass(slots=True)
class _Session:
    calls: int
    last_ns: int
    cut: Cut | None = None
    rules: set[str] = field(default_factory=set)
    is_counted: bool = False


@dataclass(slots=True)
class Findings:
    """What happens from `since` on. Sessions that are idle for a day are forgotten unless they were cut, as the
    engine's counters of such sessions are."""

    since: int = 0
    price_of: PriceOf = lambda server, tool: None
    sessions: int = 0
    calls: int = 0
    denied: int = 0
    withheld_calls: int = 0
    spent_microusd: int = 0
    saved_microusd: int = 0
    undecidable_calls: int = 0
    cut: list[Cut] = field(default_factory=list)
    rules: dict[str, Denied] = field(default_factory=dict)
    tenants: dict[str | None, Denied] = field(default_factory=dict)
    undecidable: dict[str, int] = field(default_factory=dict)
    inspected: dict[str, Inspected] = field(default_factory=dict)
    _known: dict[tuple[str | None, str | None, str], _Session] = field(default_factory=dict)

    def decided(self, call: Recorded, lane: Lane) -> None:
        if call.method not in COUNTED:
            if lane.undecidable:
                self.undecided(call, lane.undecidable)
            return
        session = self._session(call)
        session.calls += 1
        cut = session.cut
        if cut is not None:
            cut.calls = session.calls
        if call.start_unix_nano < self.since:
            return
        spent = spent_microusd(call, self.price_of)
        self.calls += 1
        self.spent_microusd += spent
        tenant = self.tenants.setdefault(call.tenant, Denied())
        tenant.calls += 1
        if not session.is_counted:
            session.is_counted = True
            self.sessions += 1
            tenant.sessions += 1
        if lane.undecidable:
            self.undecided(call, lane.undecidable)
        if lane.code is not None:
            self._deny(call, lane, session, tenant, spent)

    def _deny(self, call: Recorded, lane: Lane, session: _Session, tenant: Denied, spent: int) -> None:
        why, code = lane.rules[0] if lane.rules else "", str(lane.code)
        if session.cut is None:
            pair = Pair(call.session_id, call.enforcement_key)
            session.cut = Cut(pair, call.service_name, call.tenant, why, code, session.calls, calls=session.calls)
            self.cut.append(session.cut)
            tenant.cut += 1
        cut = session.cut
        if lane.halts and cut.halted_at is None:
            cut.halted_at, cut.halted_by = session.calls, None if why == HALT else why
        by = cut.halted_by or why if why == HALT else why
        rule = self.rules.setdefault(by, Denied(code))
        rule.halted += why == HALT
        if by not in session.rules:
            session.rules.add(by)
            rule.sessions += 1
        self.denied += 1
        self.saved_microusd += spent
        for counted in (cut, rule, tenant):
            counted.denied += 1
            counted.saved_microusd += spent

    def withheld(self, call: Recorded, lane: Lane) -> None:
        if call.start_unix_nano >= self.since:
            self.withheld_calls += 1

    def undecided(self, call: Recorded, rules: Iterable[str]) -> None:
        if call.start_unix_nano < self.since:
            return
        self.undecidable_calls += 1
        for rule in {name.removesuffix(".reopened") for name in rules}:
            self.undecidable[rule] = self.undecidable.get(rule, 0) + 1

    def found(self, call: Recorded, entry: Inspection) -> None:
        if call.start_unix_nano < self.since:
            return
        self.inspected.setdefault(entry.id, Inspected(entry.action)).calls += 1

    def _session(self, call: Recorded) -> _Session:
        name = (call.enforcement_key, call.tenant, call.session_id)
        found = self._known.pop(name, None)
        if found is None:
            if len(self._known) % _FORGET_EVERY == _FORGET_EVERY - 1:
                self._forget(call.start_unix_nano)
            found = _Session(0, 0)
        self._known[name] = found  # what was seen last is forgotten last
        found.last_ns = call.start_unix_nano
        return found

    def _forget(self, now_ns: int) -> None:
        for name, session in list(self._known.items()):
            if now_ns - session.last_ns <= IDLE_NS:
                return
            del self._known[name]
