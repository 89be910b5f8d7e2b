"""Judges calls by a policy: asks the engine about each, and makes an answer of its decision. Does no I/O itself.

With a store that does I/O the engine runs in the store's thread, and the front waits for it with a deadline.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Literal, cast

import orjson

from mcpobs.gate.call_facts import facts_of, watched_by
from mcpobs.gate.charging import Charging
from mcpobs.gate.decisions import DENIED_CODE, FORWARD, PASS, Answer, Begin, End, Forward, Pending
from mcpobs.gate.denials import denial, refused_call, withheld
from mcpobs.gate.judged import Judged
from mcpobs.gate.listings import LISTINGS, Listings
from mcpobs.gate.server_requests import refusal, refused_input, refused_side, rule_of
from mcpobs.gate.tasks import Tasks, outcome_of
from mcpobs.gate.unknown import UnknownTool
from mcpobs.policy.codes import Code, Said
from mcpobs.policy.conditions import CallFacts
from mcpobs.policy.decision import Decision, Lane
from mcpobs.policy.engine import Engine
from mcpobs.policy.model import Policy
from mcpobs.policy.state import StoreError
from mcpobs.protocol.answer import is_true
from mcpobs.protocol.call import Call, Error, Response

if TYPE_CHECKING:
    from mcpobs.gate.inspecting import Found, Inspecting
    from mcpobs.gate.judge import OnError
    from mcpobs.policy.store_thread import StoreThread
    from mcpobs.prices.book import Book

STORE_DEADLINE_S: Final = 5.0
CLOSE_S: Final = 2.0
MAX_WATCHED: Final = 256
TOO_MANY: Final = f"A subscription names more than {MAX_WATCHED} resources."


class PolicyJudge:
    """The judge of one front. `thread` runs the engine if its store does I/O."""

    on_error: OnError = "deny"

    def __init__(
        self,
        engine: Engine,
        book: Book | None = None,
        server: str = "",
        thread: StoreThread | None = None,
        inspecting: Callable[[Engine], Inspecting | None] = lambda engine: None,
    ) -> None:
        """`inspecting` makes the inspectors of the engine's policy; None without the section `inspect`."""
        self.engine = engine
        self._make_inspecting = inspecting
        self._inspected_policy = engine.policy
        self._inspecting = inspecting(engine)
        self._charging = Charging(book, server)
        self._thread = thread
        self._unknown = UnknownTool()
        self._tasks = Tasks()
        self._listings = Listings(engine)

    def use(self, policy: Policy) -> None:
        """Switches to another policy. Makes its inspectors at once, so that no call waits for them."""
        self.engine.use(policy)
        self._inspectors()

    # -- begin -----------------------------------------------------------------------------------------------

    def begin(self, call: Call) -> Begin | Pending[Begin]:
        operation = call.operation
        if operation.sender == "server":
            return self._server_request(call)
        facts, retries = facts_of(call)
        watched = watched_by(call, facts) if operation.method == "subscriptions/listen" else ()
        if len(watched) > MAX_WATCHED:
            return Answer(error=Error(DENIED_CODE, TOO_MANY), error_type=str(Code.ARGUMENTS), rule="resources")
        if self._thread is None:
            if watched:
                return self._begun(call, *self.engine.begin_each(watched))
            return self._begun(call, self.engine.begin(facts, retries), facts)

        def decide() -> Begin:
            if watched:
                return self._begun_late(call, *self.engine.begin_each(watched))
            return self._begun_late(call, self.engine.begin(facts, retries), facts)

        return self._later(decide)

    def _begun_late(self, call: Call, decision: Decision, facts: CallFacts) -> Begin:
        """Takes a decision in the store's thread. A call that is over by then, because it was cancelled or its deadline
        passed, was settled without it: it gives back what it reserved."""
        begun = self._begun(call, decision, facts)
        if call.operation.outcome is not None and not call.operation.is_notification:
            self.engine.settle(decision, facts, succeeded=False, forwarded=False, cost_microusd=None)
        return begun

    def _begun(self, call: Call, decision: Decision, facts: CallFacts) -> Begin:
        judged = call.judged = Judged(decision, facts)
        lane = decision.lane
        rule = lane.rules[0] if lane.rules else None
        if lane.code is not None:
            judged.answered = True
            return denial(facts, decision, rule, self._unknown)
        effect: Literal["allow", "warn"] = "warn" if decision.effect == "warn" else "allow"
        forward = FORWARD if effect == "allow" and rule is None else Forward(decision=effect, rule=rule)
        inspecting = self._inspectors()
        return forward if inspecting is None else self._inspected_call(inspecting, call, judged, forward)

    def _server_request(self, call: Call) -> Begin:
        side = refused_side(self.engine.policy, call.operation.method, call.params)
        if side is not None:
            return refusal(side)
        inspecting = self._inspectors()
        return FORWARD if inspecting is None else inspecting.request(call)

    def passed_on(self, call: Call) -> None:
        """Makes the columns of a decision before the row needs them."""
        judged = call.judged
        if isinstance(judged, Judged):
            judged.decision.prepare()

    # -- end -------------------------------------------------------------------------------------------------

    def end(self, call: Call, response: Response) -> End | Pending[End]:
        judged = call.judged
        if not isinstance(judged, Judged):  # a server's own request, or plumbing
            return PASS
        judged.outcome = call.operation.outcome
        if self._thread is None or not self._waits_for_thread(call, judged, response.result):
            return self._ended(call, judged, response)
        return self._later(lambda: self._ended(call, judged, response))

    def _waits_for_thread(self, call: Call, judged: Judged, result: object) -> bool:
        """Whether a response is judged in the store's thread: an inspector needs long for a large one, or the engine
        asks the store or changes state that decisions read."""
        if self._inspectors() is not None or self.engine.asks_store_of_result(judged.decision):
            return True
        if call.operation.method.startswith("tasks/"):
            return True
        return isinstance(result, dict) and (
            "task" in result or "taskId" in result or result.get("resultType", "complete") != "complete"
        )

    def _look(self, call: Call, judged: Judged, response: Response) -> Lane | None:
        """Judges a response: first the engine, then the inspectors if the engine lets it pass."""
        result, facts, engine = response.result, judged.facts, self.engine
        is_error = response.error is not None or (isinstance(result, dict) and is_true(result.get("isError")))
        if facts.kind == "tool":
            if is_error and engine.listed is not None and facts.target not in engine.listed:
                self._unknown.learn(str(facts.target), response)
            self._tasks.note(result, judged.decision, facts)
        lane = engine.end(judged.decision, facts, result, is_error=is_error)
        if lane is None and call.operation.method.startswith("tasks/"):
            outcome = outcome_of(call.operation.method, result)
            lane = None if outcome is None else self._look_at_task(call, facts, outcome)
        if lane is None and isinstance(result, dict) and result.get("resultType") == "input_required":
            lane = self._look_at_requests(judged, result)
        inspecting = self._inspectors()
        return lane if lane is not None or inspecting is None else self._inspect(inspecting, call, judged, response)

    def _look_at_requests(self, judged: Judged, result: dict[str, Any]) -> Lane | None:
        """Looks at what a result asks the client for."""
        side = refused_input(self.engine.policy, result)
        if side is not None:
            return Lane(code=Code.SERVER_REQUEST, rules=(rule_of(side),))
        state = result.get("requestState")
        self.engine.asked_for_input(judged.decision, judged.facts, state if isinstance(state, str) else None)
        return None

    def _look_at_task(self, call: Call, asker: CallFacts, outcome: object) -> Lane | None:
        """Looks at what a task came to as at the result of the call that began it, for who asks for it now."""
        known = self._tasks.of(call.params)
        if known is None:
            if not self.engine.judges_results:
                return None
            said = Said(call.operation.method, needs="a call through this front must have begun the task")
            return Lane(code=Code.TENANT, rules=("tasks",), said=said)
        decision, facts = known
        now = replace(
            facts, identity=asker.identity, enforcement_key=asker.enforcement_key, session_id=asker.session_id
        )
        if self.engine.judges_results and asker.identity.tenant != facts.identity.tenant:
            said = Said(call.operation.method, needs="it reaches only data of your own tenant")
            return Lane(code=Code.TENANT, rules=("tasks",), said=said)
        is_error = isinstance(outcome, dict) and is_true(outcome.get("isError"))
        return self.engine.end(decision, now, outcome, is_error=is_error)

    def _ended(self, call: Call, judged: Judged, response: Response) -> End:
        lane = self._look(call, judged, response)
        if lane is not None and lane.code is not None:
            judged.refused = lane
            return withheld(judged.facts, judged.decision, lane)
        method = call.operation.method
        if method in LISTINGS and isinstance(response.result, dict):
            return self._listings.passed_on(method, call.params, judged, response.result)
        if judged.inspected is None:
            return PASS
        from mcpobs.gate.inspecting import passed

        return passed(judged.inspected)

    # -- inspection ------------------------------------------------------------------------------------------

    def _inspectors(self) -> Inspecting | None:
        """The inspectors of the policy in force."""
        policy = self.engine.policy
        if policy is not self._inspected_policy:
            self._inspecting, self._inspected_policy = self._make_inspecting(self.engine), policy
        return self._inspecting

    def _inspected_call(self, inspecting: Inspecting, call: Call, judged: Judged, forward: Forward) -> Begin:
        """Inspects the arguments of a call, if an entry says so."""
        from mcpobs.gate.inspecting import Found, forwarded, refusal

        judged.found = Found(judged.decision.id)
        inspected = inspecting.look("call", judged.facts, {"params": call.params}, judged.found)
        if inspected is None or inspected.action != "block":
            return forward if inspected is None else forwarded(forward, inspected)
        judged.answered = True
        is_whole = all(finding.where == "whole" for finding in inspected.blocks())  # e.g. a tool's definition
        part = "call" if is_whole else "arguments"
        judged.refused = lane = refusal(inspected, judged.decision.id, part, _shown(call, judged))
        return refused_call(judged.facts, judged.decision, lane)

    def _inspect(self, inspecting: Inspecting, call: Call, judged: Judged, response: Response) -> Lane | None:
        """Inspects a response. Returns why it is withheld; None if it passes, perhaps with masks."""
        from mcpobs.gate.inspecting import Found, refusal, withheld_items
        from mcpobs.policy.inspect.entries import DESCRIBING

        method, facts = call.operation.method, judged.facts
        task = self._tasks.of(call.params) if method.startswith("tasks/") else None
        message = {"result": response.result} if response.error is None else {"error": response.error}
        judged.found = judged.found or Found(judged.decision.id)
        inspected = inspecting.look(
            "listing" if method in DESCRIBING else "result",
            facts if task is None else task[1],
            message,
            judged.found,
            is_error=response.error is not None,
        )
        judged.inspected = inspected
        if inspected is None or inspected.action != "block":
            return None
        items = withheld_items(inspected, message) if method in LISTINGS else None
        if items is None:
            return refusal(inspected, judged.decision.id, "result", _shown(call, judged))
        judged.found.withheld = items
        return None

    # -- over ------------------------------------------------------------------------------------------------

    def settled(self, call: Call) -> Mapping[str, str | int | bool] | None:
        """Settles what the call reserved, and returns the columns of its decision."""
        judged = call.judged
        if not isinstance(judged, Judged):
            return None if judged is None else cast("Found", judged).columns()
        forwarded = not judged.answered and not call.held
        if not judged.decision.settled:
            self._settle(call, judged, forwarded)
        columns = judged.decision.columns() if judged.found is None else _columns(judged.decision, judged.found)
        if judged.refused is not None:
            columns |= {"decision_id": judged.decision.id, "decision_code": str(judged.refused.code)}
            columns |= self._charging.columns(call, judged) if forwarded else {}
        return columns

    def _settle(self, call: Call, judged: Judged, forwarded: bool) -> None:
        engine, decision, facts = self.engine, judged.decision, judged.facts
        succeeded = call.operation.outcome == "ok" and judged.refused is None
        cost_microusd = self._charging.cost(call, judged) if forwarded else None
        if self._thread is None or not engine.stores(decision, forwarded=forwarded):
            engine.settle(decision, facts, succeeded=succeeded, forwarded=forwarded, cost_microusd=cost_microusd)
            return

        def settle() -> None:
            engine.settle(decision, facts, succeeded=succeeded, forwarded=forwarded, cost_microusd=cost_microusd)

        with suppress(StoreError):  # what is not settled keeps its estimate
            self._thread.submit(settle, lambda _: None)

    def close(self) -> None:
        """Waits for what is still to be settled, and lets go of the store."""
        if self._thread is not None:
            self._thread.close(CLOSE_S)
        self.engine.store.close()

    def _later(self, decide: Callable[[], Any]) -> Pending[Any]:
        """Decides in the store's thread."""
        pending: Pending[Any] = Pending(STORE_DEADLINE_S)
        assert self._thread is not None

        def done(found: object) -> None:
            if isinstance(found, BaseException):
                pending.fail(found)
            else:
                pending.complete(found)

        self._thread.submit(decide, done)
        return pending


def _columns(decision: Decision, found: Found) -> dict[str, str | int | bool]:
    """The columns of a decision and of its findings."""
    decision.verdicts = {**decision.verdicts, **found.verdicts}
    columns = decision.columns()
    ids = [*(decision.lane.rules or decision.lane.warnings), *found.ids]
    if ids:
        columns["rules"] = orjson.dumps(ids).decode()
    return {**found.columns(), **columns}


def _shown(call: Call, judged: Judged) -> str:
    target = judged.facts.target
    return target if isinstance(target, str) and target else call.operation.method
