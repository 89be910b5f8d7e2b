"""Replays operations through the engine that enforces: begun in their order, settled at their end. Reads no lake.

The clock is that of the rows. Every rule is in force, whatever `mode` and `share` say. A call that the policy denies
has not happened for anything that comes after it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from heapq import heappop, heappush
from typing import Protocol

import orjson

from mcpobs.gate.charging import KEPT_OUTCOMES
from mcpobs.gate.server_requests import SIDES
from mcpobs.policy.codes import Code
from mcpobs.policy.compiled import Compiled
from mcpobs.policy.conditions import UNKNOWN, CallFacts, Kind, Unknown
from mcpobs.policy.decision import Decision, Lane
from mcpobs.policy.engine import Engine, Retry
from mcpobs.policy.limit_counters import under, whose
from mcpobs.policy.memory import MemoryStore
from mcpobs.policy.model import Inspection, Policy
from mcpobs.policy.state import SessionKey
from mcpobs.policy.values import ArgumentValues
from mcpobs.protocol.session import Identity
from mcpobs.simulate import ranges
from mcpobs.simulate.decidable import decidable, reads_results, unnamed_methods
from mcpobs.simulate.inspected import Entries
from mcpobs.simulate.recorded import Recorded

PriceOf = Callable[[str | None, str], int | None]
"""The fixed price of a server's tool in micro-dollars, by today's book."""

MAX_PROCESSES = 4_096
"""Recording processes whose mean costs are kept; each learns its own, as an enforcing front does."""
MAX_IDENTITIES = 4_096
_UNCHARGED = frozenset({"protocol_error", "input_required", "denied"})
_ANSWERED = frozenset({"ok", "input_required", "task"})
_INSPECTED = _ANSWERED | {"tool_error", "server_error", "protocol_error"}
_KINDS: Mapping[str, Kind] = {
    "tools/call": "tool",
    "prompts/get": "prompt",
    "resources/read": "resource",
    "resources/subscribe": "resource",
    "completion/complete": "resource",  # of a prompt or a resource: neither is recorded
}
Means = dict[tuple[str, bool], tuple[int, int]]
Retries = dict[tuple[str, str, str | None], Retry]
ANY_RESOURCE = "resource"
"""The name of a resource if the policy treats all alike."""


class Watch(Protocol):
    """Takes what the replay decides, in its order."""

    def decided(self, call: Recorded, lane: Lane) -> None:
        """A call begins, and this is its decision; `lane.undecidable` names what could not be decided."""

    def withheld(self, call: Recorded, lane: Lane) -> None:
        """The result of a call is withheld."""

    def undecided(self, call: Recorded, rules: Iterable[str]) -> None:
        """Rules could not be decided when a call ended."""

    def found(self, call: Recorded, entry: Inspection) -> None:
        """An entry of `inspect` found something in a message of a call."""


class Clock:
    """The time of the operation that is replayed. Never goes back."""

    def __init__(self) -> None:
        self.now_ns = 0

    def __call__(self) -> int:
        return self.now_ns

    def reach(self, unix_nano: int) -> None:
        self.now_ns = max(self.now_ns, unix_nano)


class ReplayEngine(Engine):
    """The engine of one server, with all rules in force, and with what each of its processes had learned."""

    retry: bool | None = None
    """Whether the call is a retry that a result asked for, if that is recorded."""

    def use(self, policy: Policy) -> None:
        self._compiled = (Compiled(policy, self._server, shadow=True), None)
        self._processes: dict[str | None, tuple[Means, Retries]] = {}

    def enter(self, process: str | None) -> None:
        """Goes on as a recording process: mean costs and pending retries are its own."""
        state = self._processes.pop(process, None) or ({}, {})
        if len(self._processes) >= MAX_PROCESSES:
            del self._processes[next(iter(self._processes))]
        self._processes[process] = state
        self._means, self._retries = state

    def looks_like(self, tool: str) -> bool:
        """Whether a name poses as another, unless the server lists it: a replay does not know what it lists."""
        return self._compiled[0].lookalikes.may_hold(tool)

    def by_ranges(self, facts: CallFacts, features: str) -> dict[str, bool]:
        """The verdicts on numbers of arguments, if recorded ranges of values decide them."""
        found = dict[str, bool]()
        for layer in self._compiled[0].plan(facts, self._kinds(facts.target)).layers:
            for bound in layer.requires:
                condition = bound.rule.conditions[0]
                held = ranges.decided(condition, features) if isinstance(condition, ArgumentValues) else None
                if held is not None:
                    found[bound.fingerprint] = held
        return found

    def halted(self, facts: CallFacts) -> bool:
        session = SessionKey(whose(facts), facts.session_id)
        return self.store.halted(session, under(facts, self._server)) is not None

    def _round(self, facts: CallFacts, state: str | None) -> int:
        found = super()._round(facts, state)
        if self.retry is None:
            return found
        return max(1, found) if self.retry else 0


class Replay:
    """Replays the operations of all servers against one policy, with one store for all of them."""

    def __init__(self, policy: Policy, watch: Watch, price_of: PriceOf = lambda server, tool: None) -> None:
        self._policy = decidable(policy)
        self._unnamed = unnamed_methods(policy)
        self._reads_results = reads_results(policy)
        self._entries = Entries(policy)
        self._watch = watch
        self._price_of = price_of
        self._clock = Clock()
        self._store = MemoryStore(self._clock)
        self._engines: dict[str | None, ReplayEngine] = {}
        self._identities: dict[tuple[str | None, str | None, str | None], Identity] = {}
        self._under_way: list[tuple[int, int, ReplayEngine, Decision, CallFacts, Recorded]] = []
        self._begun = 0
        self._lookalikes: dict[tuple[str | None, str], bool] = {}

    def take(self, call: Recorded) -> None:
        """Begins an operation, after all that ended before it began."""
        self._settle_until(call.start_unix_nano)
        self._clock.reach(call.start_unix_nano)
        if call.kind == "client":
            self._server_request(call)
            return
        engine = self._engine(call.service_name)
        engine.enter(call.resource)
        facts = self._facts(call)
        if isinstance(facts.target, Unknown):
            self._watch.decided(call, _unnamed(engine.halted(facts)))
            return
        is_doubtful = facts.kind == "tool" and self._is_lookalike(engine, call)
        engine.retry = bool(call.policy_retry) if call.policy_hash is not None else None
        verdicts = {} if call.rule_verdicts is None else _verdicts(call.rule_verdicts)
        if call.args_features is not None:
            verdicts = engine.by_ranges(facts, call.args_features) | verdicts
        decision = engine.begin(facts, "", verdicts or None)  # the next equal call is the retry
        if is_doubtful:
            decision.lane.undecidable += ("lookalike",)
        self._watch.decided(call, decision.lane)
        if not decision.lane.denies:
            self._begun += 1
            heappush(self._under_way, (call.end_unix_nano, self._begun, engine, decision, facts, call))

    def close(self) -> None:
        """Settles what is still under way."""
        while self._under_way:
            self._settle()

    def _settle_until(self, unix_nano: int) -> None:
        while self._under_way and self._under_way[0][0] <= unix_nano:
            self._settle()

    def _settle(self) -> None:
        ended, _, engine, decision, facts, call = heappop(self._under_way)
        self._clock.reach(ended)
        engine.enter(call.resource)
        is_answered = self._reads_results and call.outcome in _ANSWERED
        is_withheld = is_answered and self._is_withheld(engine, decision, facts, call)
        is_withheld = is_withheld or self._is_blocked(decision, facts, call)
        if call.outcome == "input_required" and not is_withheld:
            engine.asked_for_input(decision, facts, None)
        engine.settle(
            decision,
            facts,
            succeeded=call.outcome == "ok" and not is_withheld,
            forwarded=True,
            cost_microusd=settled_microusd(call, self._price_of),
        )

    def _is_withheld(self, engine: ReplayEngine, decision: Decision, facts: CallFacts, call: Recorded) -> bool:
        known = len(decision.lane.undecidable)
        lane = engine.end(decision, facts, UNKNOWN, is_error=False)
        if undecided := decision.lane.undecidable[known:]:
            self._watch.undecided(call, undecided)
        if lane is None:
            return False
        self._watch.withheld(call, lane)
        return True

    def _is_blocked(self, decision: Decision, facts: CallFacts, call: Recorded) -> bool:
        """Whether an entry of `inspect` withholds the result."""
        if call.never_ran and call.rule_verdicts is None:
            return False
        replayed = self._entries.replayed(facts, call.service_name, decision.verdicts)
        for entry in replayed.found:
            self._watch.found(call, entry)
        if replayed.unknown and call.outcome in _INSPECTED:
            self._watch.undecided(call, replayed.unknown)
        if replayed.blocked_by is None:
            return False
        self._watch.withheld(call, Lane(code=Code.INSPECTION, rules=(replayed.blocked_by,)))
        return True

    def _engine(self, server: str | None) -> ReplayEngine:
        found = self._engines.get(server)
        if found is None:
            found = ReplayEngine(self._policy, self._store, server, lambda tool: self._price_of(server, tool))
            found.listed = set()
            self._engines[server] = found
        return found

    def _facts(self, call: Recorded) -> CallFacts:
        kind = _KINDS.get(call.method)
        if call.method == "subscriptions/listen" and call.method in self._unnamed:
            kind = "resource"
        target: str | Unknown | None = None
        match kind:
            case "tool":
                target = call.tool or ""
            case "prompt":
                target = call.prompt or ""
            case "resource":
                target = UNKNOWN if call.method in self._unnamed else ANY_RESOURCE
        who = (call.principal, call.tenant, call.role)
        identity = self._identities.get(who)
        if identity is None:
            if len(self._identities) >= MAX_IDENTITIES:
                self._identities.clear()
            identity = self._identities[who] = Identity(*who)
        return CallFacts(
            method=call.method,
            kind=kind,
            target=target,
            arguments=UNKNOWN,
            args_digest=call.args_digest,
            args_shape=call.args_shape,
            args_bytes=call.args_bytes,
            identity=identity,
            enforcement_key=key_of(call),
            session_id=call.session_id,
            server=call.service_name,
            client=call.client_name,
            at_unix_nano=call.start_unix_nano,
        )

    def _is_lookalike(self, engine: ReplayEngine, call: Recorded) -> bool:
        name = call.service_name, call.tool or ""
        found = self._lookalikes.get(name)
        if found is None:
            if len(self._lookalikes) >= MAX_IDENTITIES:
                self._lookalikes.clear()
            found = self._lookalikes[name] = engine.looks_like(name[1])
            if found and engine.listed is not None:
                engine.listed.add(name[1])
        return found

    def _server_request(self, call: Recorded) -> None:
        """What a server asked of its client; the mode of an elicitation is not recorded."""
        side = SIDES.get(call.method)
        lane = Lane()
        for layer in self._policy.layers if side is not None else ():
            assert side is not None
            match layer.server_requests.get(side, "allow"):
                case "deny":
                    lane.code, lane.rules = Code.SERVER_REQUEST, (f"server_requests.{side}",)
                case "form" | "url":
                    lane.undecidable = (f"server_requests.{side}",)
        self._watch.decided(call, lane)


def key_of(call: Recorded) -> str:
    """Who is held to account; a session whose caller nobody knows stands for itself."""
    return call.enforcement_key if call.enforcement_key is not None else f"unknown:{call.session_id}"


def settled_microusd(call: Recorded, price_of: PriceOf) -> int | None:
    """What a front settles a call with; None if it keeps its estimate."""
    if call.tool is None or call.outcome in KEPT_OUTCOMES or call.never_ran:
        return None
    return spent_microusd(call, price_of)


def spent_microusd(call: Recorded, price_of: PriceOf) -> int:
    """What a call cost: as recorded, else today's price of a call of the tool."""
    if call.cost_microusd is not None:
        return call.cost_microusd
    if call.tool is None or call.cost_source is not None or call.outcome in _UNCHARGED:
        return 0
    return price_of(call.service_name, call.tool) or 0


def _unnamed(is_halted: bool) -> Lane:
    """The decision on a call whose target is not recorded: a halted session makes none."""
    return Lane(code=Code.HALTED, rules=("halt",), halts=True) if is_halted else Lane(undecidable=("resources",))


def _verdicts(text: str) -> dict[str, bool]:
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {}
    items = found.items() if isinstance(found, dict) else ()
    return {str(name): held for name, held in items if isinstance(held, bool)}
