"""The policy engine: decides a call before the server sees it, and a result before the client does.

One engine serves the call path and `simulate`: it knows calls by their facts, never by bytes, and keeps time by its
store's clock. A fault while deciding never becomes an allow unless `on_error` says so.

A call is decided in this order: a halt, whether the caller may see the target, rules, and then all counters at once.
Costs are reserved before the call, at what the tool cost so far on average or its fixed price if that is more, and
corrected once when the cost is known; a call that nobody answers keeps its estimate.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from mcpobs.policy.codes import Code, Said
from mcpobs.policy.compiled import Compiled
from mcpobs.policy.conditions import UNKNOWN, CallFacts, RuleError, UndecidableError, Unknown, calls_of
from mcpobs.policy.decision import Decision, Lane
from mcpobs.policy.limit_counters import NOT_LISTED, Counter, whose
from mcpobs.policy.model import Policy
from mcpobs.policy.ownership import Ownership
from mcpobs.policy.plan import BoundRule, Plan
from mcpobs.policy.rules.tenant import Tenant
from mcpobs.policy.state import Correction, Count, Halt, Reserved, SessionKey, Store, StoreError

MICRO = 1_000_000
LARGEST_AMOUNT = 10**15  # of an argument that is summed, in millionths
MAX_PENDING_RETRIES = 4_096
RETRY_WITHIN_NS = 3_600 * 1_000_000_000
MAX_ROUNDS = 8  # retries of one call that count nothing: a server may ask again and again
PRICED_TOOLS = 4_096
MAX_DEPTH = 64
_WRITES = frozenset({"write"})
_MADE_UP = frozenset({"write", NOT_LISTED})
_OF_RETRIES = frozenset({"cost", "duration"})
"""What a retry of `input_required` counts: cost and time, because the call that asked for input cost nothing."""
_PLAIN = frozenset({str, bool, type(None)})


class Price(NamedTuple):
    """What a call of a tool costs at least, in micro-dollars; None if it has no price."""

    call_microusd: int | None = None


class Retry(NamedTuple):
    """A retry that a result asked for: the state that it has to echo, until when, and the how manieth it is."""

    state: str | None
    until_ns: int
    round: int


class Engine:
    """Decides the calls of one front. All methods may be called from any thread, one at a time.

    `price` gives the fixed price of a tool in micro-dollars, `kinds` whether a tool reads or writes. `id_key` is the
    key of the digests of tenants' ids; all engines that share a store need one key."""

    def __init__(
        self,
        policy: Policy,
        store: Store,
        server: str | None = None,
        price: Callable[[str], int | None] = lambda tool: None,
        id_key: Callable[[], bytes] = lambda: os.urandom(32),
    ) -> None:
        self.store = store
        self._ownership = Ownership(store, id_key)
        self._server = server
        self._price = price
        # Settled costs of a tool, for each set of counters: sum and number. Shadow counters do not know what calls
        # cost that they deny.
        self._means: dict[tuple[str, bool], tuple[int, int]] = {}
        self._retries: dict[tuple[str, str, str | None], Retry] = {}
        self.kinds: dict[str, frozenset[str]] = {}
        self.listed: set[str] | None = None
        """The tools that the server has listed; None until it has."""
        self._others = _WRITES
        self.use(policy)

    def use(self, policy: Policy) -> None:
        """Takes another policy, as one reference: a call is decided by the old one or the new one. Counters stay."""
        shadow = Compiled(policy, self._server, shadow=True)
        self._compiled = (Compiled(policy, self._server, shadow=False), shadow if shadow.has_shadow else None)

    @property
    def policy(self) -> Policy:
        return self._compiled[0].policy

    @property
    def judges_results(self) -> bool:
        """Whether results go to the caller only if a rule lets them: then so does what a task came to."""
        return self._compiled[0].judges_results

    def knows_all_tools(self) -> None:
        """Treats `kinds` as the whole list of tools: other names share their counters."""
        self._others = _MADE_UP

    # -- before the call -------------------------------------------------------------------------------------

    def begin(
        self, facts: CallFacts, retries: str | None = None, recorded: Mapping[str, bool] | None = None
    ) -> Decision:
        """Decides a call. `retries` is the state that it echoes if it answers `input_required`, `""` for none, and None
        for a call that answers nothing; `recorded` are the verdicts of rules on content, in a replay."""
        started_ns = time.perf_counter_ns()
        enforced, shadow = self._compiled
        decision = Decision(enforced.policy.hash, enforced.mode, _NO_LANE)
        if recorded:
            decision.verdicts.update(recorded)
        if retries is not None:
            decision.round = self._round(facts, retries)
        is_retry = decision.round > 0
        if shadow is not None:
            decision.shadow = self._lane(shadow, facts, decision, is_retry, shadow=True)
        decision.lane = self._lane(enforced, facts, decision, is_retry, shadow=False)
        decision.took_ns = time.perf_counter_ns() - started_ns
        return decision

    def sees(self, name: str, facts: CallFacts) -> bool:
        """Whether a caller may see a tool, prompt or resource: no rule that needs no arguments keeps it from it."""
        return self._compiled[0].plan(replace(facts, target=name), self._kinds(name)).hidden_by is None

    def begin_each(self, each: Sequence[CallFacts]) -> tuple[Decision, CallFacts]:
        """Decides a call that names several resources: each resource as a separate call. One denial denies them all."""
        begun: list[tuple[Decision, CallFacts]] = []
        for facts in each:
            decision = self.begin(facts)
            if decision.lane.denies:
                for other, others in begun:
                    self.settle(other, others, succeeded=False, forwarded=False, cost_microusd=None)
                return decision, facts
            begun.append((decision, facts))
        return begun[0]

    def _kinds(self, target: str | Unknown | None) -> frozenset[str]:
        return self.kinds.get(target, self._others) if isinstance(target, str) else _WRITES

    def _lane(self, compiled: Compiled, facts: CallFacts, decision: Decision, is_retry: bool, *, shadow: bool) -> Lane:
        plan = compiled.plan(facts, self._kinds(facts.target))
        if plan.reads_facts:
            facts.read_arguments()
        session = SessionKey(plan.whose, facts.session_id, shadow)
        lane = Lane(session=session, free=is_retry, plan=plan)
        try:
            self._decide(lane, plan, facts, decision)
        except StoreError as error:
            if plan.on_error_allows and all(counter.on_error_allows for counter in plan.counters):
                lane.degraded = True
                lane.code, lane.rules = None, ()
            else:
                _deny(lane, Code.STORE_ERROR, ("store",), Said(_shown(facts), reason=None))
                lane.degraded = True
                lane.warnings += (type(error).__name__,)
            return lane
        if lane.code is not None and not lane.hidden and not lane.halts and plan.denials_in_a_row:
            try:
                self._count_denial(lane, plan, facts, session)
            except StoreError:  # the denial stays; it is not counted
                lane.degraded = True
        return lane

    def _decide(self, lane: Lane, plan: Plan, facts: CallFacts, decision: Decision) -> None:
        assert lane.session is not None
        if plan.is_open or not self._is_hidden(lane, plan, facts):
            if plan.needs_session:
                facts.session, facts.store_ns = self.store.facts(lane.session), self.store.now_ns()
            holds = plan.asks_nothing or self._rules_hold(lane, plan, facts, decision)
            if holds and (plan.is_open or self._fits(lane, plan, facts)):
                self._reserve(lane, plan, facts)  # looks for a halt in the same step
                return
        halt = self.store.halted(lane.session, plan.under)
        if halt is not None:
            lane.hidden = False
            _halted(lane, halt, facts, self.store.now_ns())

    def _is_hidden(self, lane: Lane, plan: Plan, facts: CallFacts) -> bool:
        """Denies what the caller may not see, as what does not exist."""
        target = facts.target
        hidden_by = plan.hidden_by
        if plan.is_lookalike and hidden_by is None and (self.listed is None or target not in self.listed):
            hidden_by = "lookalike"
        if hidden_by is None:
            return False
        code = Code.UNKNOWN if facts.kind is not None else Code.NOT_ALLOWED
        _deny(lane, code, (hidden_by,), Said(_shown(facts)))
        lane.hidden = facts.kind is not None
        return True

    # -- rules -----------------------------------------------------------------------------------------------

    def _rules_hold(self, lane: Lane, plan: Plan, facts: CallFacts, decision: Decision) -> bool:
        """Evaluates what depends on the call itself. False if a rule denies it."""
        if plan.reads_arguments and facts.arguments is not UNKNOWN and _is_ambiguous(facts.arguments):
            _deny(lane, Code.ARGUMENTS, ("arguments",), Said(_shown(facts), needs=_AMBIGUOUS))
            return False
        checks = plan.checks
        if checks is not None and checks.pass_(facts):
            if checks.verdicts:
                decision.verdicts = {**decision.verdicts, **checks.verdicts}
            return True
        evaluate = _Evaluation(facts, decision, lane, self._ownership)
        for layer in plan.layers:
            for bound in layer.denies:
                if evaluate.matches(bound, on_error=True):
                    return evaluate.denied(bound, Code.DENIED)
            for bound in layer.missing:
                return evaluate.denied(bound, Code.REQUIREMENT)
            for bound in layer.requires:
                if not evaluate.matches(bound, on_error=False):
                    return evaluate.denied(bound, evaluate.failed_code or Code.REQUIREMENT, evaluate.needs)
            if layer.allows is not None and not any(evaluate.matches(bound, on_error=False) for bound in layer.allows):
                return evaluate.denied_by(tuple(bound.rule.id for bound in layer.allows) or ("default",))
            for bound in layer.notes:
                if evaluate.matches(bound, on_error=False):
                    lane.warnings += (bound.rule.id,)
        return True

    def _fits(self, lane: Lane, plan: Plan, facts: CallFacts) -> bool:
        """Compares the arguments with the sizes and shapes of limits files. A shape or tool that is new is noted."""
        for id_, most in plan.max_args:
            if facts.args_bytes is not None and facts.args_bytes > most:
                _deny(lane, Code.SIZE, (id_,), Said(_shown(facts), most=str(most)))
                return False
        for id_, shapes in plan.shapes:
            if facts.args_shape is not None and facts.args_shape not in shapes:
                lane.warnings += (id_,)
        if plan.unlisted:
            lane.warnings += plan.unlisted
        return True

    # -- counters --------------------------------------------------------------------------------------------

    def _reserve(self, lane: Lane, plan: Plan, facts: CallFacts) -> None:
        assert lane.session is not None
        if plan.fixed is not None and not lane.free:
            lane.counters, lane.counts = plan.counters, plan.fixed
        elif not self._count_all(lane, plan, facts, lane.session):
            return
        reserved = lane.reserved = self.store.reserve(lane.session, lane.counts, plan.under, plan.halt_for_ns)
        if reserved.halt is not None and not reserved.counts:
            _halted(lane, reserved.halt, facts, reserved.at_ns)
            return
        for taken in reserved.counts:
            if taken.exceeded:
                self._exceeds(lane, reserved, facts)
                return

    def _count_all(self, lane: Lane, plan: Plan, facts: CallFacts, session: SessionKey) -> bool:
        """Finds what the call adds to each counter. False if that denies it."""
        counters: list[Counter] = []
        counts: list[Count] = []
        for counter, count in zip(plan.counters, plan.counts, strict=True):
            if lane.free and counter.counts not in _OF_RETRIES:
                continue
            try:
                count = count or self._count(counter, facts, session)
            except UndecidableError:
                lane.undecidable += (counter.id,)
                continue
            except RuleError as error:
                if counter.on_error_allows:
                    lane.degraded = True
                    continue
                _deny(lane, Code.ARGUMENTS, (counter.id,), Said(_shown(facts), needs=str(error)))
                return False
            counters.append(counter)
            counts.append(count)
        lane.counters, lane.counts = counters, counts
        return True

    @staticmethod
    def _exceeds(lane: Lane, reserved: Reserved, facts: CallFacts) -> None:
        """Warns or denies for the counters that a call would exceed."""
        exceeded = [
            (counter, taken) for counter, taken in zip(lane.counters, reserved.counts, strict=True) if taken.exceeded
        ]
        lane.warnings += tuple(counter.id for counter, _ in exceeded if counter.on_exceed == "warn")
        stopping = [(counter, taken) for counter, taken in exceeded if counter.on_exceed != "warn"]
        if stopping:
            counter, taken = stopping[0]
            lane.halts = reserved.halt is not None
            wait_ns = [one.free_at_ns for _, one in stopping]
            retry_ns = None if None in wait_ns or lane.halts else max(one for one in wait_ns if one is not None)
            retry_s = None if retry_ns is None else max(1, -(-(retry_ns - reserved.at_ns) // 1_000_000_000))
            _deny(
                lane, counter.code, tuple(one.id for one, _ in stopping), _said(counter, taken.before, facts, retry_s)
            )

    def _count(self, counter: Counter, facts: CallFacts, session: SessionKey) -> Count:
        match counter.counts:
            case "sum":
                return counter.count(facts, _millionths(facts.argument(counter.argument), counter.argument))
            case "cost":
                amount = self.estimate(facts.target, session.shadow) if facts.kind == "tool" else 0
                return counter.count(facts, amount)
            case "same_args":
                if facts.args_digest is None:
                    raise RuleError("its arguments could not be read")
                return counter.count(facts, suffix=f":{facts.args_digest}")
            case _:
                return counter.count(facts, member=str(facts.target))

    def estimate(self, target: object, shadow: bool = False) -> int:
        """What a call will cost, in micro-dollars, before it is made."""
        if not isinstance(target, str):
            return 0
        total, number = self._means.get((target, shadow), (0, 0))
        return max(self._price(target) or 0, total // number if number else 0)

    def _count_denial(self, lane: Lane, plan: Plan, facts: CallFacts, session: SessionKey) -> None:
        denial = f"{lane.code}:{lane.rules[0] if lane.rules else ''}:{_shown(facts)}"
        reason = f"the same denial {plan.denials_in_a_row} times in a row"
        halt = self.store.denied(session, denial, plan.denials_in_a_row, plan.halt_for_ns, reason)
        if halt is not None:
            lane.halts = True
            lane.code = Code.HALTED
            lane.said = replace(lane.said, reason="It made the same refused call again and again.")

    # -- after the call --------------------------------------------------------------------------------------

    def end(self, decision: Decision, facts: CallFacts, result: object, *, is_error: bool) -> Lane | None:
        """Looks at a result before the caller does. Returns why it must not; None if it may."""
        plan = decision.lane.plan
        if plan is None:
            return None
        if not self.store.had_no_named_halts and (lane := self._halted_since(decision.lane, plan, facts)) is not None:
            return lane
        if not plan.tenants and (is_error or not plan.ids):
            return None
        for bound, tenant in plan.tenants:
            passes = tenant.passes_error(result, facts) if is_error else _passes(decision, bound, tenant, result, facts)
            if not passes:
                lane = Lane()
                _deny(lane, Code.TENANT, (bound.rule.id,), Said(_shown(facts), needs=tenant.needs(facts)))
                return lane
        return None if is_error else self._note_ids(plan, facts, result)

    def _halted_since(self, decided: Lane, plan: Plan, facts: CallFacts) -> Lane | None:
        """Returns why a result is withheld if its caller, tool or server was halted while the call was under way."""
        if decided.session is None:
            return None
        try:
            halt = self.store.halted(decided.session, plan.under)
        except StoreError:
            return None
        if halt is None or halt.scope == "session":
            return None
        lane = Lane()
        _halted(lane, halt, facts, self.store.now_ns())
        return lane

    def asks_store_of_result(self, decision: Decision) -> bool:
        """Returns whether `end` may ask the store. If not, it may run in any thread."""
        plan = decision.lane.plan
        return (plan is not None and bool(plan.ids)) or not self.store.had_no_named_halts

    def _note_ids(self, plan: Plan, facts: CallFacts, result: object) -> Lane | None:
        """Notes the ids that a result shows. A result whose ids cannot be noted is withheld, unless `on_error` allows:
        other tenants could use them."""
        for bound, tenant in plan.ids:
            code = self._ownership.note(bound.rule.id, tenant, result, facts)
            if code is not None and not bound.on_error_allows:
                lane = Lane(degraded=code == Code.STORE_ERROR)
                _deny(lane, code, (bound.rule.id,), Said(_shown(facts)))
                return lane
        return None

    def settle(
        self, decision: Decision, facts: CallFacts, *, succeeded: bool, forwarded: bool, cost_microusd: int | None
    ) -> None:
        """Ends a call. Corrects what it reserved, once: to its cost, or to nothing if the server never saw it. With
        `cost_microusd` None the estimate stays."""
        if decision.settled:
            return
        decision.settled = True
        self._settle_lane(decision.lane, facts, succeeded and forwarded, forwarded, cost_microusd)
        if decision.shadow is not None:
            self._settle_lane(decision.shadow, facts, succeeded and forwarded, forwarded, cost_microusd)

    def stores(self, decision: Decision, *, forwarded: bool) -> bool:
        """Returns whether `settle` may ask the store. If not, it may run in any thread."""
        return any(
            lane is not None and not lane.denies and lane.plan is not None and (lane.plan.settles or not forwarded)
            for lane in (decision.lane, decision.shadow)
        )

    def _learn_cost(self, tool: str, shadow: bool, microusd: int) -> None:
        known = tool, shadow
        if known in self._means or len(self._means) < PRICED_TOOLS:
            total, number = self._means.get(known, (0, 0))
            self._means[known] = total + microusd, number + 1

    def _settle_lane(
        self,
        lane: Lane,
        facts: CallFacts,
        succeeded: bool,
        forwarded: bool,
        cost_microusd: int | None,
    ) -> None:
        reserved, plan = lane.reserved, lane.plan
        if lane.code is not None or plan is None or reserved is None or not reserved.granted or lane.session is None:
            return
        if cost_microusd is not None and forwarded and isinstance(facts.target, str):
            self._learn_cost(facts.target, lane.session.shadow, cost_microusd)
        if forwarded and not plan.settles:
            return
        corrections = list(_corrections(lane, forwarded, cost_microusd))
        done: dict[str, dict[str, object]] = {}
        if succeeded and plan.remembered and isinstance(facts.target, str):
            done[facts.target] = dict(_remembered(plan.remembers, facts))
        if forwarded and plan.counts_calls:
            done[calls_of(str(facts.target))] = {}
        if corrections or done:
            self.store.settle(lane.session, reserved, corrections, done or None)

    def asked_for_input(self, decision: Decision, facts: CallFacts, state: str | None) -> None:
        """Notes that a result asked for input: one retry with this state counts as no call of its own."""
        if decision.round >= MAX_ROUNDS:
            return
        if len(self._retries) >= MAX_PENDING_RETRIES:
            del self._retries[next(iter(self._retries))]
        facts.read_arguments()
        key = (whose(facts), str(facts.target), facts.args_digest)
        self._retries[key] = Retry(state, self.store.now_ns() + RETRY_WITHIN_NS, decision.round + 1)

    def _round(self, facts: CallFacts, state: str | None) -> int:
        """The how manieth retry of a call this is that a result asked for; 0 for none."""
        if state is None or not self._retries or facts.kind != "tool":
            return 0
        facts.read_arguments()
        key = (whose(facts), str(facts.target), facts.args_digest)
        known = self._retries.get(key)
        if known is None or (known.state is not None and known.state != state):
            return 0
        del self._retries[key]
        return known.round if known.until_ns > self.store.now_ns() else 0


_NO_LANE = Lane()


class _Evaluation:
    """Evaluates the rules of one call, and keeps why one failed."""

    def __init__(self, facts: CallFacts, decision: Decision, lane: Lane, ownership: Ownership) -> None:
        self._owns = ownership.allows
        self._facts = facts
        self._decision = decision
        self._lane = lane
        self.failed_code: Code | None = None
        self.needs: str | None = None

    def matches(self, bound: BoundRule, *, on_error: bool) -> bool:
        """Whether all conditions of a rule hold. A fault counts as `on_error`, unless the rule says allow."""
        try:
            held = self._hold(bound)
        except UndecidableError:
            recorded = self._decision.verdicts.get(bound.fingerprint)
            if recorded is not None:
                return recorded
            self._lane.undecidable += (bound.rule.id,)
            return not on_error
        except RuleError as error:
            held = on_error != bound.on_error_allows
            if bound.on_error_allows:
                self._lane.degraded = True
            self.needs = str(error)
        except StoreError:
            raise
        except Exception:
            held = on_error != bound.on_error_allows
            self.failed_code, self.needs = Code.POLICY_ERROR, None
            self._lane.degraded = True
        if bound.reads_content:
            self._decision.verdicts[bound.fingerprint] = held
        return held

    def _hold(self, bound: BoundRule) -> bool:
        self.failed_code, self.needs = None, None
        for condition in bound.rule.conditions:
            self.failed_code = condition.code
            if not condition.holds(self._facts) or not self._owns(bound.rule.id, condition, self._facts):
                self.needs = condition.needs(self._facts)
                return False
        return True

    def denied(self, bound: BoundRule, code: Code, needs: str | None = None) -> bool:
        said = Said(_shown(self._facts), needs=needs, reason=bound.rule.reason)
        _deny(self._lane, code, (bound.rule.id,), said)
        return False

    def denied_by(self, rules: tuple[str, ...]) -> bool:
        _deny(self._lane, self.failed_code or Code.NOT_ALLOWED, rules, Said(_shown(self._facts), needs=self.needs))
        return False


_AMBIGUOUS = "two of its arguments differ in case only, or a number is too large"


def _passes(decision: Decision, bound: BoundRule, condition: Tenant, result: object, facts: CallFacts) -> bool:
    """Whether a result may go to the caller; noted as a verdict, by which a replay goes."""
    verdict = f"{bound.fingerprint}/result"
    if result is UNKNOWN:
        if verdict not in decision.verdicts:
            decision.lane.undecidable += (bound.rule.id,)
        return decision.verdicts.get(verdict, True)
    passes = decision.verdicts[verdict] = condition.passes(result, facts)
    return passes


def _deny(lane: Lane, code: Code, rules: tuple[str, ...], said: Said) -> None:
    lane.code, lane.rules, lane.said = code, rules, said


def _halted(lane: Lane, halt: Halt, facts: CallFacts, now_ns: int) -> None:
    own = lane.session is not None and (halt.name, halt.session) == (lane.session.key, lane.session.session)
    wait_ns = None if own or halt.until_ns is None else halt.until_ns - now_ns
    retry_s = None if wait_ns is None else max(1, -(-wait_ns // 1_000_000_000))
    _deny(lane, Code.HALTED, ("halt",), Said(_shown(facts), retry_after_s=retry_s))
    lane.halts = True


def _shown(facts: CallFacts) -> str:
    target = facts.target
    return target if isinstance(target, str) else facts.method


def _said(counter: Counter, before: int, facts: CallFacts, retry_after_s: int | None) -> Said:
    per = {"session": "session", "principal": "caller", "tenant": "tenant"}[counter.cap.by]
    if counter.cap.window_ns and retry_after_s is not None:
        per += f" and {_window(counter.cap.window_ns)}"
    if counter.counts == "duration":
        return Said(_shown(facts), _elapsed(counter.cap.most))
    if counter.counts == "cost":
        most, used = f"${counter.cap.most / MICRO:.2f}", f"${before / MICRO:.2f}"
    elif counter.counts == "sum":
        most, used = f"{counter.cap.most / MICRO:g}", f"{before / MICRO:g}"
    else:
        most, used = str(counter.cap.most), str(before)
    return Said(_shown(facts), most, used, per, retry_after_s)


def _elapsed(milliseconds: int) -> str:
    seconds = -(-milliseconds // 1_000)
    return f"{seconds} s" if seconds < 120 else f"{seconds // 60} min"


def _window(window_ns: int) -> str:
    seconds = window_ns // 1_000_000_000
    for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1)):
        if seconds % size == 0:
            number = seconds // size
            return unit if number == 1 else f"{number} {unit}s"
    return f"{seconds} seconds"


def _millionths(value: object, path: Sequence[str]) -> int:
    """An amount in an argument. Raises RuleError for one that is no number, or below zero: it would lower the sum."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value * MICRO <= LARGEST_AMOUNT:
        raise RuleError(f"{'.'.join(path)} has to be a number of 0 or more")
    return round(value * MICRO)


def _is_ambiguous(value: object, depth: int = 0) -> bool:
    """Whether two readers may find other arguments in the same ones: keys that are equal up to case, numbers beyond
    64 bits, values that no JSON has, nesting that some do not read."""
    if isinstance(value, dict):
        if depth > MAX_DEPTH or _has_equal_keys(value):
            return True
        items: Iterable[object] = value.values()
    elif isinstance(value, list):
        if depth > MAX_DEPTH:
            return True
        items = value
    else:
        items = (value,)
    for item in [one for one in items if type(one) not in _PLAIN]:
        kind = type(item)
        if kind is float:
            if not math.isfinite(item):  # type: ignore[arg-type]  # a float
                return True
            continue
        if kind is int:
            if not -(1 << 63) <= item < 1 << 63:  # type: ignore[operator]  # an int
                return True
        elif (kind is not dict and kind is not list) or _is_ambiguous(item, depth + 1):
            return True
    return False


def _has_equal_keys(value: dict[object, object]) -> bool:
    try:
        joined = "".join(value)  # type: ignore[arg-type]  # texts, or TypeError
    except TypeError:
        return True
    if joined.isascii() and joined == joined.lower():  # nearly all: none of them can be another one's other case
        return False
    return len({str(key).casefold() for key in value}) < len(value)


def _corrections(lane: Lane, forwarded: bool, cost_microusd: int | None) -> Iterable[Correction]:
    for counter, count in zip(lane.counters, lane.counts, strict=True):
        if not forwarded:
            if count.member is None and count.amount:
                yield Correction(count, -count.amount)
        elif counter.counts == "cost" and cost_microusd is not None and cost_microusd != count.amount:
            yield Correction(count, cost_microusd - count.amount)


def _remembered(paths: Iterable[tuple[str, ...]], facts: CallFacts) -> Iterable[tuple[str, object]]:
    for path in paths:
        try:
            yield ".".join(path), facts.argument(path)
        except (RuleError, UndecidableError):
            continue
