"""Begin and end of an operation, the same for every front: wire and in-process. Does no I/O.

A front says what it received, and gets a `Call` with an operation and a session. It says how the call was answered
(`succeed`, `refuse`) or that it was not, and ends it with that verdict. Which response belongs to which
request is the front's knowledge: an SDK pairs them itself, `Conversation` does it on the wire.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Protocol

from mcpobs.protocol.call import Call
from mcpobs.protocol.facts import Facts
from mcpobs.protocol.ids import id_text
from mcpobs.protocol.meta import conversation_of
from mcpobs.protocol.operation import Operation, Peer, Sender, Stamp, TraceContext, ValueFacts
from mcpobs.protocol.outcome import Verdict, of_error, of_result
from mcpobs.protocol.registry import LISTINGS, NAMING, Catalog, Registry
from mcpobs.protocol.session import Caller, Session
from mcpobs.protocol.target import target_of
from mcpobs.protocol.trace import parse_traceparent

_OF_RESOURCES = ("resources/", "notifications/resources/")
_READS = frozenset({"resources/read", "tools/list", "resources/list", "resources/templates/list", "prompts/list"})
"""Requests without a member `arguments`: their params say what is read."""


class Sessions(Protocol):
    """Decides which session an operation belongs to."""

    def begin(self, operation: Operation, caller: Caller, legacy: bool) -> Session:
        """The session of an operation that begins. `legacy`: its connection began with `initialize`."""

    def settle(self, operation: Operation, session: Session, caller: Caller) -> Session:
        """The session of an operation that ended; another one only if the answer named it (`Mcp-Session-Id`)."""


class Ends(Protocol):
    """What a front knows of both ends of a connection when a message comes in. `Conversation` is one."""

    caller: Caller
    client: Peer
    server: Peer
    protocol_version: str | None
    legacy: bool | None  # whether the connection began with `initialize`; None: not known yet


class Lifecycle:
    """Begins and ends the calls of one front.

    With `keeps_content` a call has its params and a response its value, for a judge; otherwise content is let go. With
    `puts_off` the facts of arguments are read by `Call.describe`, when the front has passed the call on, or at its
    end.
    """

    def __init__(
        self,
        facts: Facts,
        registry: Registry,
        sessions: Sessions,
        *,
        keeps_content: bool = False,
        puts_off: bool = False,
    ) -> None:
        self.registry = registry
        self._facts = facts
        self._sessions = sessions
        self.keeps_content = keeps_content
        self._puts_off = puts_off

    def begin(
        self,
        ends: Ends,
        sender: Sender,
        method: str,
        params: object,
        request_id: object,
        start: Stamp | None = None,
        span: TraceContext | None = None,
        catalog: Catalog | None = None,
    ) -> Call:
        """The call of a message that came in; `request_id` is None for a notification.

        Without a `start` its clock starts when this returns: what is done here is not the server's. `span` is the
        operation's own span, if its ids are settled already. `catalog` is that of the server, if a front has several.
        """
        registry = self.registry
        target = registry.target(method, params, ends.protocol_version)
        operation = Operation(
            registry.next_sequence(),
            sender,
            target.method,
            start or _NOT_YET,
            None if request_id is None else id_text(request_id),
            target.tool,
            target.prompt,
            None,
            target.protocol_version,
            ends.client,
            ends.server,
            None,
            span,
        )
        unread = None
        if isinstance(params, dict):
            unread = self._read_params(operation, method, params, catalog or registry.catalog)
        elif params is None and method in _READS:
            unread = partial(self._facts.params, {})
        if start is None:
            operation.start = now()
        caller = ends.caller
        session = self._sessions.begin(operation, caller, ends.legacy is True)
        call = Call(operation, session, caller, params if self.keeps_content else None)
        if unread is not None:
            call.unread = unread
            if not self._puts_off:
                call.describe()
        return call

    def session_of(self, caller: Caller, client: Peer, protocol_version: str | None, stamp: Stamp) -> Session:
        """The session of what carried no operation, e.g. of a frame that was refused."""
        probe = Operation(0, "client", "", stamp, client=client, protocol_version=protocol_version)
        return self._sessions.settle(probe, self._sessions.begin(probe, caller, False), caller)

    def _read_params(
        self, operation: Operation, method: str, params: dict[str, object], catalog: Catalog
    ) -> Callable[[], tuple[ValueFacts, str | None]] | None:
        """Reads the facts that the operation needs at once. Returns the reader of the facts of its arguments, if it has
        any."""
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
            return partial(self._facts.arguments, params.get("arguments", {}), declared)
        if method in _READS:
            return partial(self._facts.params, params)
        return None

    def succeed(
        self, call: Call, result: object, size_bytes: int | None = None, catalog: Catalog | None = None
    ) -> Verdict:
        """Takes the facts of a result, learns what it declares, and returns the verdict to end the call with.
        `size_bytes` is the size of the result as it was sent, if that is known."""
        operation = call.operation
        verdict = of_result(operation.method, result)
        if operation.sender == "client" and operation.method in LISTINGS:
            (catalog or self.registry.catalog).learn(operation.method, result)
        call.describe()
        again = self._facts.asks_again(operation.method, operation.target, operation.arguments)
        try:
            operation.result, items, empty = self._facts.result(result, size_bytes, again=again)
        except (TypeError, AssertionError):  # as for arguments
            return verdict
        if verdict.outcome in ("ok", "tool_error"):
            if verdict.error_type is not None:
                operation.error_message = self._facts.failed_result(result)
            operation.result_items, operation.result_empty = items, empty
            if self._facts.asks_for_prices:
                operation.measured = self._facts.measured(operation.tool, result)
        return verdict

    def refuse(self, call: Call, error: object, size_bytes: int | None = None) -> Verdict:
        """The same for a JSON-RPC error."""
        operation = call.operation
        operation.result = self._facts.error(error, size_bytes)
        operation.error_message = self._facts.failed_request(error)
        return of_error(error, operation.sender)

    def explain(self, call: Call, text: object) -> None:
        """Takes the text of a failure that no answer holds: an exception, a fault of the transport."""
        call.operation.error_message = self._facts.failure(text)

    def end(self, call: Call, mono_ns: int, verdict: Verdict) -> None:
        """Ends a call: outcome, duration, and its session, which is settled now."""
        if call.unread is not None:
            call.describe()
        operation = call.operation
        operation.outcome, operation.error_type, operation.status_code = verdict
        took_ns = mono_ns - operation.start.mono_ns
        operation.duration_ns = took_ns if took_ns > 0 else 0
        call.session = self._sessions.settle(operation, call.session, call.caller)


def now() -> Stamp:
    return Stamp(time.time_ns(), time.monotonic_ns())


_NOT_YET = Stamp(0, 0)
