"""Pairs JSON-RPC requests with their responses on one connection, both ways. Does no I/O, never alters a frame and
never raises, for any bytes."""

from __future__ import annotations

from functools import partial

from mcpobs.protocol.declared import MAX_TOOLS, declared_by_arguments, declared_by_schema
from mcpobs.protocol.decode import decode
from mcpobs.protocol.facts import Facts
from mcpobs.protocol.ids import Key, id_key, id_text
from mcpobs.protocol.meta import CLIENT_INFO, PROTOCOL_VERSION, SERVER_INFO, conversation_of, peer_of, version_of
from mcpobs.protocol.operation import Operation, Peer, Sender, Stamp, TraceContext
from mcpobs.protocol.outcome import MALFORMED, OTHER, Verdict, of_cancellation, of_error, of_result
from mcpobs.protocol.pending import Flight
from mcpobs.protocol.registry import Known
from mcpobs.protocol.target import target_of
from mcpobs.protocol.text import bounded
from mcpobs.protocol.trace import parse_traceparent

MAX_BATCH = 1_000  # messages of a batch that are read: each may be a row
_ENVELOPE_BYTES = len('{"jsonrpc":"2.0","id":,"":}')
_TELLING = frozenset({"initialize", "tools/list", "prompts/list"})  # their results tell of the server
_WITH_ARGUMENTS = frozenset({"tools/call", "prompts/get"})


class Conversation:
    """One connection. Each side numbers its requests for itself.

    A request without `jsonrpc` is taken as one, for lenient servers answer it; a notification without it is not,
    for a server that logs JSON lines to its stdout would seem to send them.
    """

    def __init__(self, facts: Facts, known: Known | None = None) -> None:
        self._known = known or Known()
        self.client = self._known.peer(None, None)
        self.server = self._known.server
        self.protocol_version: str | None = None
        self.legacy: bool | None = None
        self.unparsed = 0
        self.unmatched = 0
        self._facts = facts
        self._flights: dict[Sender, Flight] = {"client": Flight(), "server": Flight()}

    @property
    def in_flight(self) -> int:
        return len(self._flights["client"]) + len(self._flights["server"])

    def feed(self, sender: Sender, frame: bytes, stamp: Stamp, span: TraceContext | None = None) -> list[Operation]:
        """Takes a frame and returns the operations that it finished, in order.

        `span` is what the operation that the frame starts is to be recorded as, where that was settled before;
        it is one span, so no element of a batch gets it.
        """
        message = decode(frame)
        done: list[Operation] = []
        if isinstance(message, dict):
            self._message(sender, message, stamp, span, len(frame), done)
        elif isinstance(message, list) and message:
            self.unparsed += max(0, len(message) - MAX_BATCH)
            for element in message[:MAX_BATCH]:
                if isinstance(element, dict):
                    self._message(sender, element, stamp, None, None, done)
                else:
                    self.unparsed += 1
        else:
            self.unparsed += 1
        return done

    def close(self, stamp: Stamp, error_type: str) -> list[Operation]:
        """Ends what is still in flight as unfinished, in the order of its requests."""
        left = [operation for flight in self._flights.values() for operation in flight.clear()]
        return self._end_each(left, stamp, Verdict("unfinished", error_type))

    def end_those(self, since: int, before: int, stamp: Stamp, verdict: Verdict) -> list[Operation]:
        """Ends what is in flight and has its place from `since` to `before`, in the order of its requests."""
        left = [
            operation
            for flight in self._flights.values()
            for operation in flight.remove(lambda place: since <= place < before)
        ]
        return self._end_each(left, stamp, verdict)

    def _end_each(self, left: list[Operation], stamp: Stamp, verdict: Verdict) -> list[Operation]:
        left.sort(key=lambda operation: operation.sequence)
        for operation in left:
            self._end(operation, stamp, verdict)
        return left

    def _message(
        self,
        sender: Sender,
        message: dict[str, object],
        stamp: Stamp,
        span: TraceContext | None,
        frame_bytes: int | None,
        done: list[Operation],
    ) -> None:
        method = message.get("method")
        if isinstance(method, str):
            if "id" in message:
                self._request(sender, method, message, stamp, span, done)
            elif "jsonrpc" in message:
                self._notification(sender, method, message.get("params"), stamp, span, done)
            else:
                self.unparsed += 1
        elif method is None and ("result" in message or "error" in message or "id" in message):
            self._response(sender, message, stamp, frame_bytes, done)
        else:
            self.unparsed += 1

    def _request(
        self,
        sender: Sender,
        method: str,
        message: dict[str, object],
        stamp: Stamp,
        span: TraceContext | None,
        done: list[Operation],
    ) -> None:
        key = id_key(message["id"])
        if key is None:
            self.unparsed += 1
            return
        params = message.get("params")
        operation = self._begin(sender, method, params, stamp, span)
        operation.request_id = id_text(message["id"])
        token = None
        if isinstance(params, dict):
            if method in _WITH_ARGUMENTS:
                self._take_arguments(operation, params)
            elif method == "initialize" and sender == "client":
                self._introduce(operation, params)
            meta = params.get("_meta")
            token = id_key(meta.get("progressToken")) if isinstance(meta, dict) else None
        elif method == "initialize" and sender == "client":
            self.legacy = True
        dropped = self._flights[sender].add(key, operation, token)
        if dropped is not None:
            done.append(self._end(dropped, stamp, Verdict("unfinished", OTHER)))

    def _notification(
        self,
        sender: Sender,
        method: str,
        params: object,
        stamp: Stamp,
        span: TraceContext | None,
        done: list[Operation],
    ) -> None:
        operation = self._begin(sender, method, params, stamp, span)
        if isinstance(params, dict):
            if method == "notifications/progress":
                self._progress(sender, params)
            elif method == "notifications/cancelled":
                self._cancel(sender, params, stamp, done)
        done.append(self._end(operation, stamp, Verdict("ok")))

    def _begin(self, sender: Sender, method: str, params: object, stamp: Stamp, span: TraceContext | None) -> Operation:
        operation = Operation(self._known.next_place(), sender, bounded(method), stamp)
        operation.span = span
        if isinstance(params, dict):
            operation.tool, operation.prompt, operation.resource_scheme = target_of(method, params)
            meta = params.get("_meta")
            if isinstance(meta, dict):
                if "traceparent" in meta:
                    operation.parent = parse_traceparent(meta["traceparent"])
                operation.conversation_id = conversation_of(meta)
                if sender == "client" and PROTOCOL_VERSION in meta:
                    self._read_modern(meta)
        operation.client, operation.server = self.client, self.server
        operation.protocol_version = self.protocol_version
        return operation

    def _read_modern(self, meta: dict[str, object]) -> None:
        """2026-07-28: each request says for itself who asks, and in which version."""
        version = version_of(meta[PROTOCOL_VERSION])
        if version is None:
            return
        self.legacy = False
        self.protocol_version = version
        self.client = self._renewed(self.client, meta.get(CLIENT_INFO))

    def _introduce(self, operation: Operation, params: dict[str, object]) -> None:
        """Until 2025-11-25: the connection begins with `initialize`."""
        self.legacy = True
        self.client = operation.client = self._renewed(self.client, params.get("clientInfo"))
        self.protocol_version = operation.protocol_version = version_of(params.get("protocolVersion"))

    def _take_arguments(self, operation: Operation, params: dict[str, object]) -> None:
        name = params.get("name")
        declarations = self._known.tools if operation.method == "tools/call" else self._known.prompts
        declared = declarations.of(name) if isinstance(name, str) else None
        operation.arguments, operation.arguments_features = self._facts.arguments(params.get("arguments", {}), declared)

    def _progress(self, sender: Sender, params: dict[str, object]) -> None:
        token = id_key(params.get("progressToken"))
        operation = self._flights[_other(sender)].progressed(token) if token is not None else None
        if operation is not None:
            operation.progress += 1

    def _cancel(self, sender: Sender, params: dict[str, object], stamp: Stamp, done: list[Operation]) -> None:
        key = id_key(params.get("requestId"))
        if key is None:
            return
        operation = self._flights[sender].give_up(key)
        if operation is None and sender == "server":  # its own requests come first: both may use the id
            operation = self._torn_down(key)
        if operation is not None:
            operation.cancelled_by = sender
            done.append(self._end(operation, stamp, of_cancellation(params.get("reason"))))

    def _torn_down(self, key: Key) -> Operation | None:
        """A server ends the client's `subscriptions/listen` so, and nothing else (2026-07-28, Subscriptions)."""
        flight = self._flights["client"]
        operation = flight.find(key)
        return flight.give_up(key) if operation is not None and operation.method == "subscriptions/listen" else None

    def _response(
        self,
        sender: Sender,
        message: dict[str, object],
        stamp: Stamp,
        frame_bytes: int | None,
        done: list[Operation],
    ) -> None:
        asked_by = _other(sender)
        flight = self._flights[asked_by]
        key = id_key(message.get("id"))
        operation = flight.take(key) if key is not None else None
        if operation is None:
            if key is None or not flight.is_late(key):
                self.unmatched += 1
            return
        error = message.get("error")
        if error is not None:
            size = _value_bytes(frame_bytes, message["id"], "error")
            operation.result = self._facts.error(error, size)
            verdict = of_error(error, asked_by)
        elif "result" in message:
            result = message["result"]
            verdict = of_result(operation.method, result)
            self._take_result(operation, verdict, result, _value_bytes(frame_bytes, message["id"], "result"))
        else:
            verdict = MALFORMED
        done.append(self._end(operation, stamp, verdict))

    def _take_result(self, operation: Operation, verdict: Verdict, result: object, size_bytes: int | None) -> None:
        operation.result, items, empty = self._facts.result(result, size_bytes)
        if verdict.outcome in ("ok", "tool_error"):
            operation.result_items, operation.result_empty = items, empty
            operation.measured = self._facts.measured(operation.tool, result)
        if isinstance(result, dict) and operation.sender == "client":
            if "_meta" in result:
                self._learn_name(result["_meta"])
            if operation.method in _TELLING:
                self._learn(operation, result)

    def _learn_name(self, meta: object) -> None:
        """2026-07-28: each result says for itself who answers."""
        if isinstance(meta, dict) and SERVER_INFO in meta:
            self._server_is(meta[SERVER_INFO])

    def _learn(self, operation: Operation, result: dict[str, object]) -> None:
        """What the server says of itself and of its tools."""
        match operation.method:
            case "initialize":
                self._server_is(result.get("serverInfo"))
                self.protocol_version = version_of(result.get("protocolVersion")) or self.protocol_version
                operation.protocol_version = self.protocol_version
            case "tools/list":
                for tool in _objects(result.get("tools")):
                    self._known.tools.learn(tool.get("name"), partial(declared_by_schema, tool.get("inputSchema")))
            case "prompts/list":
                for prompt in _objects(result.get("prompts")):
                    self._known.prompts.learn(
                        prompt.get("name"), partial(declared_by_arguments, prompt.get("arguments"))
                    )

    def _server_is(self, info: object) -> None:
        self.server = self._known.server = self._renewed(self.server, info)

    def _renewed(self, known: Peer, info: object) -> Peer:
        """The peer as it now says it is; what was known where it says nothing."""
        found = peer_of(info)
        return known if found is None or found == known else self._known.peer(found.name, found.version)

    def _end(self, operation: Operation, stamp: Stamp, verdict: Verdict) -> Operation:
        operation.outcome, operation.error_type, operation.status_code = verdict
        operation.duration_ns = max(0, stamp.mono_ns - operation.start.mono_ns)
        operation.server = self.server
        return operation


def _other(sender: Sender) -> Sender:
    return "server" if sender == "client" else "client"


def _objects(value: object) -> list[dict[str, object]]:
    listed = value[:MAX_TOOLS] if isinstance(value, list) else []
    return [item for item in listed if isinstance(item, dict)]


def _value_bytes(frame_bytes: int | None, request_id: object, member: str) -> int | None:
    """Size of a response's `result` or `error` as it was sent: the frame without its envelope.

    Exact for a frame of compact JSON, else the envelope's spaces count in. None for an element of a batch.
    """
    if frame_bytes is None:
        return None
    own = len(request_id) + 2 if isinstance(request_id, str) else len(str(request_id))
    return max(0, frame_bytes - _ENVELOPE_BYTES - own - len(member))
