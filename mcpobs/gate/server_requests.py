"""Requests of a server to its client (sampling, elicitation, roots): which of them a policy lets pass. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from mcpobs.gate.decisions import DENIED_CODE, Answer
from mcpobs.policy.codes import Code, Said, text
from mcpobs.policy.model import Policy, Side
from mcpobs.protocol.call import Error

SIDES: Final[Mapping[str, Side]] = {
    "sampling/createMessage": "sampling",
    "elicitation/create": "elicitation",
    "roots/list": "roots",
}


def refused_side(policy: Policy, method: str, params: object) -> Side | None:
    """The side that a request of a server belongs to, if the policy refuses the request."""
    side = SIDES.get(method)
    return None if side is None or _takes(policy, side, params) else side


def refused_input(policy: Policy, result: dict[str, Any]) -> Side | None:
    """The side of the first request in an `input_required` result that the policy refuses."""
    for request in _input_requests(result):
        side = refused_side(policy, str(request.get("method")), request.get("params"))
        if side is not None:
            return side
    return None


def refusal(side: Side) -> Answer:
    """What the server gets in place of an answer."""
    code = Code.SERVER_REQUEST
    return Answer(error=Error(DENIED_CODE, text(code, Said())), error_type=str(code), rule=rule_of(side))


def rule_of(side: Side) -> str:
    return f"server_requests.{side}"


def _takes(policy: Policy, side: Side, params: object) -> bool:
    for layer in policy.layers:
        allowed = layer.server_requests.get(side, "allow")
        mode = params.get("mode", "form") if isinstance(params, dict) else "form"
        if layer.mode == "enforce" and allowed != "allow" and (side != "elicitation" or mode != allowed):
            return False
    return True


def _input_requests(result: dict[str, Any]) -> Iterator[dict[str, Any]]:
    requests = result.get("inputRequests")
    found = requests.values() if isinstance(requests, dict) else requests if isinstance(requests, list) else []
    return (one for one in found if isinstance(one, dict))
