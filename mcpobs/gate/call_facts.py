"""Makes the facts of a call that rules see. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from functools import partial
from typing import Any, Final

from mcpobs.policy.conditions import CallFacts, Kind
from mcpobs.protocol.call import Call
from mcpobs.protocol.operation import ValueFacts

MAX_TARGET: Final = 512
_NAMED: Final[dict[str, tuple[Kind, str]]] = {
    "tools/call": ("tool", "name"),
    "prompts/get": ("prompt", "name"),
    "resources/read": ("resource", "uri"),
    "resources/subscribe": ("resource", "uri"),
}
"""The kind of target that a method names, and the parameter that names it."""
_NO_PARAMS: Final[dict[str, Any]] = {}


def facts_of(call: Call) -> tuple[CallFacts, str | None]:
    """A call as rules see it, and the state that it echoes if it answers `input_required`."""
    operation, session = call.operation, call.session
    params = call.params if isinstance(call.params, dict) else _NO_PARAMS
    method = operation.method
    named = _NAMED.get(method)
    if named is not None:
        kind: Kind | None
        target: str | None
        kind, target = named[0], params.get(named[1])
        if not isinstance(target, str):
            target = ""
    else:
        kind, target = _completed(method, params)
    whole = None
    if target is not None and len(target) > MAX_TARGET:
        whole, target = target, _shortened(target)
    arguments = params.get("arguments")
    read = operation.arguments
    facts = CallFacts(
        method,
        operation.sender,
        kind,
        target,
        whole,
        {} if arguments is None else arguments,
        None if read is None else read.digest,
        None if read is None else read.shape,
        None if read is None else read.size_bytes,
        None if call.unread is None else partial(_described, call),
        call.caller.identity,
        session.enforcement_key,
        session.id,
        None,
        operation.client.name,
        operation.start.unix_nano,
    )
    if "requestState" in params or "inputResponses" in params:
        state = params.get("requestState")
        return facts, state if isinstance(state, str) else ""
    return facts, None


def watched_by(call: Call, facts: CallFacts) -> list[CallFacts]:
    """The same call for each of the resources whose changes a `subscriptions/listen` asks for."""
    params = call.params if isinstance(call.params, dict) else {}
    asked = params.get("notifications")
    if not isinstance(asked, dict):
        return []
    uris = asked.get("resourceSubscriptions")
    listed = uris if isinstance(uris, list) else [] if uris is None else [uris]
    return [_of_resource(facts, uri) for uri in dict.fromkeys(map(_text, listed))]


def _described(call: Call) -> ValueFacts | None:
    call.describe()
    return call.operation.arguments


def _completed(method: str, params: dict[str, Any]) -> tuple[Kind | None, str | None]:
    """What a completion is asked for. Other methods have no target."""
    if method != "completion/complete":
        return None, None
    ref = params.get("ref")
    ref = ref if isinstance(ref, dict) else {}
    if ref.get("type") == "ref/resource":
        return "resource", _text(ref.get("uri"))
    return "prompt", _text(ref.get("name"))


def _of_resource(facts: CallFacts, uri: str) -> CallFacts:
    """The same call, for one of its resources."""
    whole = uri if len(uri) > MAX_TARGET else None
    return replace(facts, kind="resource", target=uri if whole is None else _shortened(uri), whole=whole)


def _shortened(target: str) -> str:
    """A long target in bounded length, and yet another one for each: decisions and counters are kept by it."""
    digest = hashlib.blake2b(target.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
    return f"{target[:MAX_TARGET]}…{digest}"


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
