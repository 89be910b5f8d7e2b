"""Begin and end of an operation, the same for every front: wire and in-process. Does no I/O.

A front says what it received (`Request`), and gets a `Call` with an operation and a session. It says how the call was
answered (`succeed`, `refuse`) or that it was not, and ends it with that verdict. Which response belongs to which
request is the front's knowledge: an SDK pairs them itself, `Conversation` does it on the wire.
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from mcpobs.protocol.call import Call
from mcpobs.protocol.facts import Facts
from mcpobs.protocol.ids import id_text
from mcpobs.protocol.meta import conversation_of
from mcpobs.protocol.operation import Operation, Peer, Sender, Stamp, TraceContext
from mcpobs.protocol.outcome import Verdict, of_error, of_result
from mcpobs.protocol.registry import LISTINGS, NAMING, Catalog, Registry
from mcpobs.protocol.session import Caller, Session
from mcpobs.protocol.target import target_of
from mcpobs.protocol.trace import parse_traceparent

_OF_RESOURCES = ("resources/", "notifications/resources/")


class Sessions(Protocol):
    """Decides which session an operation belongs to."""

    def begin(self, operation: Operation, caller: Caller, legacy: bool) -> Session:
        """The session of an operation that begins. `legacy`: its connection began with `initialize`."""

    def settle(self, operation: Operation, session: Session, caller: Caller) -> Session:
        """The session of an operation that ended; another one only if the answer named it (`Mcp-Session-Id`)."""


@dataclass(slots=True)
class Request:
    """A request or notification as a front received it; texts as the peer sent them."""

    sender: Sender
    method: str
    params: object
    request_id: object  # None for a notification
    protocol_version: str | None
    client: Peer
    server: Peer
    legacy: bool = False
    span: TraceContext | None = None  # the ids of the operation's own span, if they are settled already

    @property
    def meta(self) -> dict[str, object] | None:
        meta = self.params.get("_meta") if isinstance(self.params, dict) else None
        return meta if isinstance(meta, dict) else None


class Lifecycle:
    """Begins and ends the calls of one front.

    With `keeps_params` a call has its params, for a judge; otherwise nothing keeps content alive.
    """

    def __init__(self, facts: Facts, registry: Registry, sessions: Sessions, *, keeps_params: bool = False) -> None:
        self.registry = registry
        self._facts = facts
        self._sessions = sessions
        self._keeps_params = keeps_params

    def begin(
        self, request: Request, caller: Caller, start: Stamp | None = None, catalog: Catalog | None = None
    ) -> Call:
        """The call of a message that came in. Without a `start` its clock starts when this returns: what is done here
        is not the server's. `catalog` is that of the server, if the front has several."""
        method, params, request_id = request.method, request.params, request.request_id
        registry = self.registry
        target = registry.target(method, params, request.protocol_version)
        operation = Operation(
            registry.next_sequence(),
            request.sender,
            target.method,
            start or _NOT_YET,
            None if request_id is None else id_text(request_id),
            target.tool,
            target.prompt,
            None,
            target.protocol_version,
            request.client,
            request.server,
            span=request.span,
        )
        if isinstance(params, dict):
            self._read_params(operation, method, params, catalog or registry.catalog)
        if start is None:
            operation.start = now()
        session = self._sessions.begin(operation, caller, request.legacy)
        return Call(operation, session, caller, params if self._keeps_params else None)

    def session_of(self, caller: Caller, client: Peer, protocol_version: str | None, stamp: Stamp) -> Session:
        """The session of what carried no operation, e.g. of a frame that was refused."""
        probe = Operation(0, "client", "", stamp, client=client, protocol_version=protocol_version)
        return self._sessions.settle(probe, self._sessions.begin(probe, caller, False), caller)

    def _read_params(self, operation: Operation, method: str, params: dict[str, object], catalog: Catalog) -> None:
        if method.startswith(_OF_RESOURCES):
            operation.resource_scheme = target_of(method, params)[2]
        meta = params.get("_meta")
        if isinstance(meta, dict):
            if "traceparent" in meta:
                operation.parent = parse_traceparent(meta["traceparent"])
            operation.conversation_id = conversation_of(meta)
        if method in NAMING and operation.request_id is not None:
            name = params.get("name")
            declarations = catalog.tools if method == "tools/call" else catalog.prompts
            declared = declarations.of(name) if isinstance(name, str) else None
            with suppress(TypeError, AssertionError):  # in memory a caller can pass what no JSON text holds
                operation.arguments, operation.arguments_features = self._facts.arguments(
                    params.get("arguments", {}), declared
                )

    def succeed(
        self, call: Call, result: object, size_bytes: int | None = None, catalog: Catalog | None = None
    ) -> Verdict:
        """Takes the facts of a result, learns what it declares, and returns the verdict to end the call with.
        `size_bytes` is the size of the result as it was sent, if that is known."""
        operation = call.operation
        verdict = of_result(operation.method, result)
        if operation.sender == "client" and operation.method in LISTINGS:
            (catalog or self.registry.catalog).learn(operation.method, result)
        try:
            operation.result, items, empty = self._facts.result(result, size_bytes)
        except (TypeError, AssertionError):  # as for arguments
            return verdict
        if verdict.outcome in ("ok", "tool_error"):
            operation.result_items, operation.result_empty = items, empty
            if self._facts.asks_for_prices:
                operation.measured = self._facts.measured(operation.tool, result)
        return verdict

    def refuse(self, call: Call, error: object, size_bytes: int | None = None) -> Verdict:
        """The same for a JSON-RPC error."""
        operation = call.operation
        operation.result = self._facts.error(error, size_bytes)
        return of_error(error, operation.sender)

    def end(self, call: Call, mono_ns: int, verdict: Verdict) -> None:
        """Ends a call: outcome, duration, and its session, which is settled now."""
        operation = call.operation
        operation.outcome, operation.error_type, operation.status_code = verdict
        operation.duration_ns = max(0, mono_ns - operation.start.mono_ns)
        call.session = self._sessions.settle(operation, call.session, call.caller)


def now() -> Stamp:
    return Stamp(time.time_ns(), time.monotonic_ns())


_NOT_YET = Stamp(0, 0)
