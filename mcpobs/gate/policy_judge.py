"""Judges calls by a policy: makes facts of a call for the engine, and an answer of its decision. Does no I/O itself.

With a store that does I/O the engine runs in the store's thread, and the front waits for it with a deadline.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal, cast

import orjson

from mcpobs.gate.decisions import (
    DECISION_META,
    DENIED_CODE,
    FORWARD,
    PASS,
    Answer,
    Begin,
    End,
    Forward,
    Pass,
    Pending,
    Replace,
)
from mcpobs.gate.tasks import Tasks, outcome_of
from mcpobs.gate.unknown import UNKNOWN_CODE, UnknownTool
from mcpobs.policy.codes import Code, Said, text
from mcpobs.policy.conditions import CallFacts, Kind
from mcpobs.policy.decision import Decision, Lane
from mcpobs.policy.engine import Engine
from mcpobs.policy.model import Policy, Side
from mcpobs.policy.state import StoreError
from mcpobs.protocol.answer import is_true
from mcpobs.protocol.call import Call, Error, Response
from mcpobs.protocol.operation import ValueFacts

if TYPE_CHECKING:
    from mcpobs.gate.inspecting import Found, Inspecting
    from mcpobs.gate.judge import OnError
    from mcpobs.policy.inspect.inspected import Inspected
    from mcpobs.policy.store_thread import StoreThread
    from mcpobs.prices.book import Book
    from mcpobs.prices.rule import Charge
    from mcpobs.semconv import Outcome

RESOURCE_CODE: Final = -32002
METHOD_CODE: Final = -32601
STORE_DEADLINE_S: Final = 5.0
CLOSE_S: Final = 2.0
MAX_TARGET = 512
MAX_WATCHED: Final = 256
TOO_MANY: Final = f"A subscription names more than {MAX_WATCHED} resources."
SIDES: Mapping[str, Side] = {
    "sampling/createMessage": "sampling",
    "elicitation/create": "elicitation",
    "roots/list": "roots",
}
KEPT_OUTCOMES = frozenset({"timeout", "unfinished", "cancelled", "task"})
"""Outcomes whose cost nobody knows: the estimate stays."""


class _Judged:
    """What the judge keeps of a call until it is over."""

    __slots__ = ("answered", "decision", "facts", "found", "inspected", "outcome", "refused")

    def __init__(self, decision: Decision, facts: CallFacts) -> None:
        self.decision = decision
        self.facts = facts
        self.answered = False
        self.refused: Lane | None = None  # why its result is withheld
        self.found: Found | None = None  # what inspectors found in its messages
        self.inspected: Inspected | None = None  # of them the response
        self.outcome: Outcome | None = None  # of the server's response, also if it is withheld


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
        self._book = book
        self._server = server
        self._thread = thread
        self._unknown = UnknownTool()
        self._tasks = Tasks()
        self._cursors: set[str] = set()
        """Of the pages that follow a first page of tools."""

    def use(self, policy: Policy) -> None:
        """Switches to another policy. Makes its inspectors at once, so that no call waits for them."""
        self.engine.use(policy)
        self._inspectors()

    # -- begin -----------------------------------------------------------------------------------------------

    def begin(self, call: Call) -> Begin | Pending[Begin]:
        if call.operation.sender == "server":
            return self._server_request(call)
        facts, retries = facts_of(call)
        watched = [_of_resource(facts, uri) for uri in _watched(call)]
        if len(watched) > MAX_WATCHED:
            return Answer(error=Error(DENIED_CODE, TOO_MANY), error_type=str(Code.ARGUMENTS), rule="resources")

        def decide() -> tuple[Decision, CallFacts]:
            return self.engine.begin_each(watched) if watched else (self.engine.begin(facts, retries), facts)

        if self._thread is None:
            return self._begun(call, *decide())
        return self._later(decide, lambda decided: self._begun_late(call, *decided))

    def _begun_late(self, call: Call, decision: Decision, facts: CallFacts) -> Begin:
        """Takes a decision in the store's thread. A call that is over by then, because it was cancelled or its deadline
        passed, was settled without it: it gives back what it reserved."""
        begun = self._begun(call, decision, facts)
        if call.operation.outcome is not None and not call.operation.is_notification:
            self.engine.settle(decision, facts, succeeded=False, forwarded=False, cost_microusd=None)
        return begun

    def _begun(self, call: Call, decision: Decision, facts: CallFacts) -> Begin:
        judged = _Judged(decision, facts)
        call.judged = judged
        lane = decision.lane
        rule = lane.rules[0] if lane.rules else None
        if not lane.denies:
            effect: Literal["allow", "warn"] = "warn" if decision.effect == "warn" else "allow"
            forward = FORWARD if effect == "allow" and rule is None else Forward(decision=effect, rule=rule)
            inspecting = self._inspectors()
            return forward if inspecting is None else self._inspected_call(inspecting, call, judged, forward)
        judged.answered = True
        return self._answer(call, facts, decision, rule)

    def _answer(self, call: Call, facts: CallFacts, decision: Decision, rule: str | None) -> Answer:
        lane = decision.lane
        code = str(lane.code)
        if lane.hidden and facts.kind == "tool":
            return self._unknown.answer(str(facts.target), code, rule)
        if lane.hidden:
            return Answer(error=_as_unknown(facts), error_type=code, rule=rule)
        if facts.kind == "tool":
            return Answer(result=_refusal(decision.text, decision.meta), error_type=code, rule=rule)
        number = METHOD_CODE if facts.kind is None and lane.code == Code.NOT_ALLOWED else DENIED_CODE
        error = Error(number, decision.text, {DECISION_META: decision.meta})
        return Answer(error=error, error_type=code, rule=rule)

    def _server_request(self, call: Call) -> Begin:
        side = SIDES.get(call.operation.method)
        if side is None or self._takes(side, call.params):
            inspecting = self._inspectors()
            return Forward() if inspecting is None else inspecting.request(call)
        message = text(Code.SERVER_REQUEST, Said())
        return Answer(
            error=Error(DENIED_CODE, message), error_type=str(Code.SERVER_REQUEST), rule=f"server_requests.{side}"
        )

    def _takes(self, side: Side, params: object) -> bool:
        for layer in self.engine.policy.layers:
            allowed = layer.server_requests.get(side, "allow")
            mode = params.get("mode", "form") if isinstance(params, dict) else "form"
            if layer.mode == "enforce" and allowed != "allow" and (side != "elicitation" or mode != allowed):
                return False
        return True

    # -- end -------------------------------------------------------------------------------------------------

    def end(self, call: Call, response: Response) -> End | Pending[End]:
        judged = call.judged
        if not isinstance(judged, _Judged):  # a server's own request, or plumbing
            return Pass()
        judged.outcome = call.operation.outcome
        if self._thread is None or not self._waits_for_thread(call, judged, response.result):
            return self._ended(call, judged, response, self._looked(call, judged, response))
        return self._later(
            lambda: self._looked(call, judged, response), lambda lane: self._ended(call, judged, response, lane)
        )

    def _waits_for_thread(self, call: Call, judged: _Judged, result: object) -> bool:
        """Whether a response is judged in the store's thread: an inspector needs long for a large one, or the engine
        asks the store or changes state that decisions read."""
        if self._inspectors() is not None or self.engine.asks_store_of_result(judged.decision):
            return True
        if call.operation.method.startswith("tasks/"):
            return True
        return isinstance(result, dict) and (
            "task" in result or "taskId" in result or result.get("resultType", "complete") != "complete"
        )

    def _looked(self, call: Call, judged: _Judged, response: Response) -> Lane | None:
        """Judges a response: first the engine, then the inspectors if the engine lets it pass."""
        lane = self._look(call, judged, response)
        inspecting = self._inspectors()
        return lane if lane is not None or inspecting is None else self._inspect(inspecting, call, judged, response)

    def _look(self, call: Call, judged: _Judged, response: Response) -> Lane | None:
        result = response.result
        is_error = response.error is not None or (isinstance(result, dict) and is_true(result.get("isError")))
        listed, target = self.engine.listed, judged.facts.target
        if is_error and judged.facts.kind == "tool" and listed is not None and target not in listed:
            self._unknown.learn(str(target), response)
        if judged.facts.kind == "tool":
            self._tasks.note(result, judged.decision, judged.facts)
        lane = self.engine.end(judged.decision, judged.facts, result, is_error=is_error)
        outcome = outcome_of(call.operation.method, result)
        if lane is None and outcome is not None:
            lane = self._look_at_task(call, judged.facts, outcome)
        if lane is not None or not isinstance(result, dict) or result.get("resultType") != "input_required":
            return lane
        for request in _input_requests(result):
            side = SIDES.get(str(request.get("method")))
            if side is not None and not self._takes(side, request.get("params")):
                return Lane(code=Code.SERVER_REQUEST, rules=(f"server_requests.{side}",))
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

    def _ended(self, call: Call, judged: _Judged, response: Response, lane: Lane | None) -> End:
        if lane is not None and lane.code is not None:
            judged.refused = lane
            message = text(lane.code, lane.said)
            meta = {"id": judged.decision.id, "code": str(lane.code)}
            rule, code = lane.rules[0], str(lane.code)
            if judged.facts.kind == "tool":
                return Replace(result=_refusal(message, meta), outcome="denied", error_type=code, rule=rule)
            error = Error(DENIED_CODE, message, {DECISION_META: meta})
            return Replace(error=error, outcome="denied", error_type=code, rule=rule)
        listed = _LISTED.get(call.operation.method)
        if listed is not None and isinstance(response.result, dict):
            if listed is TOOLS:
                self._learn(call.params, response.result)
            return self._filtered(judged, response.result, *listed)
        return PASS if judged.inspected is None else _passed(judged.inspected)

    # -- inspection ------------------------------------------------------------------------------------------

    def _inspectors(self) -> Inspecting | None:
        """The inspectors of the policy in force."""
        policy = self.engine.policy
        if policy is not self._inspected_policy:
            self._inspecting, self._inspected_policy = self._make_inspecting(self.engine), policy
        return self._inspecting

    def _inspected_call(self, inspecting: Inspecting, call: Call, judged: _Judged, forward: Forward) -> Begin:
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
        message, meta = text(Code.INSPECTION, lane.said), {"id": judged.decision.id, "code": str(Code.INSPECTION)}
        code, rule = str(Code.INSPECTION), lane.rules[0]
        if judged.facts.kind == "tool":
            return Answer(result=_refusal(message, meta), error_type=code, rule=rule)
        return Answer(error=Error(DENIED_CODE, message, {DECISION_META: meta}), error_type=code, rule=rule)

    def _inspect(self, inspecting: Inspecting, call: Call, judged: _Judged, response: Response) -> Lane | None:
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
        items = withheld_items(inspected, message) if method in _LISTED else None
        if items is None:
            return refusal(inspected, judged.decision.id, "result", _shown(call, judged))
        judged.found.withheld = items
        return None

    def _filtered(self, judged: _Judged, result: dict[str, object], member: str, kind: Kind, name: str) -> End:
        """A list without what the caller may not see."""
        items, facts, inspected = result.get(member), judged.facts, judged.inspected
        passed = Pass() if inspected is None else _passed(inspected)
        if not isinstance(items, list):
            return passed
        asking = CallFacts(
            f"{member}/{kind}",
            kind=kind,
            identity=facts.identity,
            enforcement_key=facts.enforcement_key,
            session_id=facts.session_id,
            client=facts.client,
            server=facts.server,
        )
        seen = [
            item
            for item in items
            if isinstance(item, dict) and isinstance(item.get(name), str) and self.engine.sees(item[name], asking)
        ]
        withheld = set[str]() if judged.found is None else judged.found.withheld
        if len(seen) == len(items) and not withheld:
            return passed
        if inspected is not None:
            from mcpobs.gate.inspecting import listing

            return listing(result, seen, member, name, inspected, withheld)
        return Replace(result={**result, member: seen}, decision="allow")

    def _learn(self, params: object, result: dict[str, object]) -> None:
        """Learns the tools and their kinds. After a list was seen from its first page to its last, any other name
        counts as made up."""
        tools = result.get("tools")
        if not isinstance(tools, list):
            return
        known = self.engine.listed or set()
        for tool in tools[:MAX_LISTED]:
            if not isinstance(tool, dict) or not isinstance(tool.get("name"), str) or len(known) >= MAX_LISTED:
                continue
            known.add(tool["name"])
            hints = tool.get("annotations")
            reads = isinstance(hints, dict) and hints.get("readOnlyHint") is True
            self.engine.kinds[tool["name"]] = frozenset({"read"} if reads else {"write"})
        self.engine.listed = known
        cursor = params.get("cursor") if isinstance(params, dict) else None
        if cursor is not None and (not isinstance(cursor, str) or cursor not in self._cursors):
            return
        following = result.get("nextCursor")
        if isinstance(following, str):
            if len(self._cursors) < MAX_LISTED:
                self._cursors.add(following)
        elif len(known) < MAX_LISTED:
            self.engine.knows_all_tools()

    # -- over ------------------------------------------------------------------------------------------------

    def settled(self, call: Call) -> Mapping[str, str | int | bool] | None:
        """Settles what the call reserved, and returns the columns of its decision."""
        judged = call.judged
        if not isinstance(judged, _Judged):
            return None if judged is None else cast("Found", judged).columns()
        operation = call.operation
        forwarded = not judged.answered and not call.held
        succeeded = operation.outcome == "ok" and judged.refused is None

        settle = partial(
            self.engine.settle,
            judged.decision,
            judged.facts,
            succeeded=succeeded,
            forwarded=forwarded,
            cost_microusd=self._cost(call, judged) if forwarded else None,
        )
        if self._thread is None or not self.engine.stores(judged.decision, forwarded=forwarded):
            settle()
        elif not judged.decision.settled:
            with suppress(StoreError):  # what is not settled keeps its estimate
                self._thread.submit(settle, lambda _: None)
        columns = judged.decision.columns() if judged.found is None else _columns(judged.decision, judged.found)
        if judged.refused is not None:
            columns |= {"decision_id": judged.decision.id, "decision_code": str(judged.refused.code)}
            columns |= self._cost_columns(call, judged) if forwarded else {}
        return columns

    def close(self) -> None:
        """Waits for what is still to be settled, and lets go of the store."""
        if self._thread is not None:
            self._thread.close(CLOSE_S)
        self.engine.store.close()

    def _cost(self, call: Call, judged: _Judged) -> int | None:
        """What a call did cost, in micro-dollars; None if only the estimate is known."""
        operation = call.operation
        if operation.tool is None or (judged.outcome or operation.outcome) in KEPT_OUTCOMES:
            return None
        if self._book is None or self._book.of(self._server, operation.tool) is None:
            return 0
        charge = self._charge(call, judged)
        return 0 if charge is None else charge.microusd

    def _charge(self, call: Call, judged: _Judged) -> Charge | None:
        """The cost of the work of the server, also if its result is withheld."""
        operation = call.operation
        rule = None if self._book is None or operation.tool is None else self._book.of(self._server, operation.tool)
        if rule is None:
            return None
        size = None if operation.result is None else operation.result.size_bytes
        return rule.charge(judged.outcome or operation.outcome, size, operation.measured)

    def _cost_columns(self, call: Call, judged: _Judged) -> dict[str, str | int | bool]:
        """The cost of a call whose result is withheld; the row of a denied call has none."""
        charge = self._charge(call, judged)
        if charge is None or charge.microusd is None:
            return {}
        return {"cost_microusd": charge.microusd, "cost_source": charge.source}

    def _later(self, work: Callable[[], Any], decided: Callable[[Any], Any]) -> Pending[Any]:
        pending: Pending[Any] = Pending(STORE_DEADLINE_S)
        assert self._thread is not None

        def done(found: object) -> None:
            try:
                if isinstance(found, BaseException):
                    raise found
                pending.complete(decided(found))
            except BaseException as error:
                pending.fail(error)

        self._thread.submit(work, done)
        return pending


MAX_LISTED = 4_096
TOOLS: Final[tuple[str, Kind, str]] = ("tools", "tool", "name")
_LISTED: Mapping[str, tuple[str, Kind, str]] = {
    "tools/list": TOOLS,
    "prompts/list": ("prompts", "prompt", "name"),
    "resources/list": ("resources", "resource", "uri"),
    "resources/templates/list": ("resourceTemplates", "resource", "uriTemplate"),
}


def _passed(inspected: Inspected) -> Pass:
    from mcpobs.gate.inspecting import passed

    return passed(inspected)


def _columns(decision: Decision, found: Found) -> dict[str, str | int | bool]:
    """The columns of a decision and of its findings."""
    decision.verdicts = {**decision.verdicts, **found.verdicts}
    columns = decision.columns()
    ids = [*(decision.lane.rules or decision.lane.warnings), *found.ids]
    if ids:
        columns["rules"] = orjson.dumps(ids).decode()
    return {**found.columns(), **columns}


def _shown(call: Call, judged: _Judged) -> str:
    target = judged.facts.target
    return target if isinstance(target, str) and target else call.operation.method


def facts_of(call: Call) -> tuple[CallFacts, str | None]:
    """A call as rules see it, and the state that it echoes if it answers `input_required`."""
    operation, session, params = call.operation, call.session, call.params
    params = params if isinstance(params, dict) else {}
    kind, target = _target(operation.method, params)
    whole = target if target is not None and len(target) > MAX_TARGET else None
    arguments = params.get("arguments")
    facts = CallFacts(
        method=operation.method,
        sender=operation.sender,
        kind=kind,
        target=target if whole is None else _shortened(whole),
        whole=whole,
        arguments={} if arguments is None else arguments,
        args_digest=None if operation.arguments is None else operation.arguments.digest,
        args_shape=None if operation.arguments is None else operation.arguments.shape,
        args_bytes=None if operation.arguments is None else operation.arguments.size_bytes,
        identity=call.caller.identity,
        enforcement_key=session.enforcement_key,
        session_id=session.id,
        client=operation.client.name,
        at_unix_nano=operation.start.unix_nano,
    )
    if call.unread is not None:
        facts.unread = partial(_described, call)
    state = params.get("requestState")
    retries = "inputResponses" in params or "requestState" in params
    return facts, (state if isinstance(state, str) else "") if retries else None


def _described(call: Call) -> ValueFacts | None:
    call.describe()
    return call.operation.arguments


def _target(method: str, params: dict[str, Any]) -> tuple[Kind | None, str | None]:
    match method:
        case "tools/call":
            return "tool", _text(params.get("name"))
        case "prompts/get":
            return "prompt", _text(params.get("name"))
        case "resources/read" | "resources/subscribe":
            return "resource", _text(params.get("uri"))
        case "completion/complete":
            ref = params.get("ref")
            ref = ref if isinstance(ref, dict) else {}
            if ref.get("type") == "ref/resource":
                return "resource", _text(ref.get("uri"))
            return "prompt", _text(ref.get("name"))
    return None, None


def _shortened(target: str) -> str:
    """A long target in bounded length, and yet another one for each: decisions and counters are kept by it."""
    digest = hashlib.blake2b(target.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
    return f"{target[:MAX_TARGET]}…{digest}"


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _watched(call: Call) -> list[str]:
    """The resources whose changes a `subscriptions/listen` asks for."""
    params = call.params if isinstance(call.params, dict) else {}
    asked = params.get("notifications")
    if call.operation.method != "subscriptions/listen" or not isinstance(asked, dict):
        return []
    uris = asked.get("resourceSubscriptions")
    return list(
        dict.fromkeys(_text(uri) for uri in (uris if isinstance(uris, list) else [] if uris is None else [uris]))
    )


def _of_resource(facts: CallFacts, uri: str) -> CallFacts:
    """The same call, for one of its resources."""
    whole = uri if len(uri) > MAX_TARGET else None
    return replace(facts, kind="resource", target=uri if whole is None else _shortened(uri), whole=whole)


def _as_unknown(facts: CallFacts) -> Error:
    """What a server says of a name that it does not have."""
    target = facts.target if isinstance(facts.target, str) else ""
    match facts.kind:
        case "resource":
            return Error(RESOURCE_CODE, "Resource not found", {"uri": target})
        case _:
            return Error(UNKNOWN_CODE, f"Unknown prompt: {target}")


def _refusal(message: str, meta: Mapping[str, object]) -> dict[str, object]:
    """A result that the model reads: clients keep a JSON-RPC error from it."""
    return {"content": [{"type": "text", "text": message}], "isError": True, "_meta": {DECISION_META: dict(meta)}}


def _input_requests(result: dict[str, Any]) -> list[dict[str, Any]]:
    requests = result.get("inputRequests")
    found = requests.values() if isinstance(requests, dict) else requests if isinstance(requests, list) else []
    return [one for one in found if isinstance(one, dict)]
