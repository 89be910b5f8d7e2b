"""What a client gets in place of what the policy denies: a result that its model reads, or a JSON-RPC error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from mcpobs.gate.decisions import DECISION_META, DENIED_CODE, Answer, Replace
from mcpobs.gate.unknown import UNKNOWN_CODE, UnknownTool
from mcpobs.policy.codes import Code, text
from mcpobs.policy.conditions import CallFacts
from mcpobs.policy.decision import Decision, Lane
from mcpobs.protocol.call import Error

RESOURCE_CODE: Final = -32002
METHOD_CODE: Final = -32601


def denial(facts: CallFacts, decision: Decision, rule: str | None, unknown: UnknownTool) -> Answer:
    """The answer to a call that the policy denies. What its caller may not see is answered as what does not exist."""
    lane = decision.lane
    code = str(lane.code)
    if lane.hidden and facts.kind == "tool":
        return unknown.answer(str(facts.target), code, rule)
    if lane.hidden:
        return Answer(error=_as_unknown(facts), error_type=code, rule=rule)
    if facts.kind == "tool":
        return Answer(result=_refusal(decision.text, decision.meta), error_type=code, rule=rule)
    number = METHOD_CODE if facts.kind is None and lane.code == Code.NOT_ALLOWED else DENIED_CODE
    return Answer(error=Error(number, decision.text, {DECISION_META: decision.meta}), error_type=code, rule=rule)


def refused_call(facts: CallFacts, decision: Decision, lane: Lane) -> Answer:
    """The answer to a call in which an inspector found something."""
    message, meta, code, rule = _of(lane, decision)
    if facts.kind == "tool":
        return Answer(result=_refusal(message, meta), error_type=code, rule=rule)
    return Answer(error=Error(DENIED_CODE, message, {DECISION_META: meta}), error_type=code, rule=rule)


def withheld(facts: CallFacts, decision: Decision, lane: Lane) -> Replace:
    """What the requester gets in place of a response."""
    message, meta, code, rule = _of(lane, decision)
    if facts.kind == "tool":
        return Replace(result=_refusal(message, meta), outcome="denied", error_type=code, rule=rule)
    error = Error(DENIED_CODE, message, {DECISION_META: meta})
    return Replace(error=error, outcome="denied", error_type=code, rule=rule)


def _of(lane: Lane, decision: Decision) -> tuple[str, dict[str, object], str, str]:
    assert lane.code is not None
    code = str(lane.code)
    return text(lane.code, lane.said), {"id": decision.id, "code": code}, code, lane.rules[0]


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
