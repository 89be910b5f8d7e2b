"""Pairs JSON-RPC requests with their responses on one connection, both ways. Does no I/O, never alters a frame and
never raises, for any bytes."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from mcpobs.protocol.answer import is_error, is_result
from mcpobs.protocol.call import Call, Response
from mcpobs.protocol.cut import Cut
from mcpobs.protocol.decode import decode, decode_cut
from mcpobs.protocol.floods import COUNTED, PROGRESS, Burst, count
from mcpobs.protocol.ids import Key, id_key
from mcpobs.protocol.lifecycle import Lifecycle
from mcpobs.protocol.meta import CLIENT_INFO, PROTOCOL_VERSION, SERVER_INFO, peer_of, version_of
from mcpobs.protocol.operation import Operation, Peer, Sender, Stamp, TraceContext
from mcpobs.protocol.outcome import OTHER, Verdict, of_cancellation
from mcpobs.protocol.pending import Pending, PendingRequests
from mcpobs.protocol.session import Caller, Session

MAX_BATCH = 1_000  # messages of a batch that are read: each may be a row
_ENVELOPE_BYTES = len('{"jsonrpc":"2.0","id":,"":}')
_OK = Verdict("ok")

Kind = Literal["request", "notification", "response", "late", "unmatched", "unreadable"]
"""`late`: a response to a request that was cancelled · `unmatched`: one to no request at all."""


Meaning = tuple[Kind, Call | None, Response | None]
"""What one message meant to the conversation: its kind, the call that it began or ended, and what a paired response
holds (only for a judge). A plain tuple, because it is made twice a call."""

_COUNTED: Meaning = ("notification", None, None)
_UNREADABLE: Meaning = ("unreadable", None, None)
_LATE: Meaning = ("late", None, None)
_UNMATCHED: Meaning = ("unmatched", None, None)


class Conversation:
    """One connection. Each side numbers its requests for itself.

    A message has `"jsonrpc": "2.0"`: servers log JSON lines with `id`, `method`, `error` and `result` to their stdout,
    and clients ignore those. A client's request without it is tentative: it is an operation only if the server answers
    it, with or without `jsonrpc`, because lenient servers do. What clients take for a response is in `protocol/answer`.

    `caller` is who sends the client's frames; a front over a network sets it before it feeds one.
    """

    def __init__(self, lifecycle: Lifecycle, caller: Caller) -> None:
        self.caller = caller
        self._lifecycle = lifecycle
        self._end_call = lifecycle.end
        self._registry = lifecycle.registry
        self.client = self._registry.peer(None, None)
        self.server = self._registry.server
        self.protocol_version: str | None = None
        self.legacy: bool | None = None
        self.unparsed = 0
        self.unmatched = 0
        self.stream: tuple[int, int] | None = None
        """Over HTTP, the sequences from and before which the request has that the server's messages come in answer to;
        None if the transport does not say."""
        self._of_stream: tuple[tuple[int, int], Call] | None = None
        self._bursts: dict[tuple[Sender, str], Burst] = {}
        self._aside: dict[Key, Call] = {}
        self._pending: dict[Sender, PendingRequests] = {"client": PendingRequests(), "server": PendingRequests()}

    @property
    def in_flight(self) -> int:
        return len(self._pending["client"]) + len(self._pending["server"])

    def open_calls(self) -> list[Call]:
        """The client's requests that wait for their responses."""
        return self._pending["client"].calls()

    def feed(self, sender: Sender, frame: bytes | Cut, stamp: Stamp, span: TraceContext | None = None) -> list[Call]:
        """Takes a frame and returns the calls that it ended, in order.

        `span` is the span of the operation that the frame starts, if its ids are settled already. It is one span, so
        no element of a batch gets it.
        """
        message, size = (decode_cut(frame), frame.size) if isinstance(frame, Cut) else (decode(frame), len(frame))
        ended: list[Call] = []
        if isinstance(message, dict):
            self.read(sender, message, stamp, ended, span, size)
        elif isinstance(message, list) and message:
            self.unparsed += max(0, len(message) - MAX_BATCH)
            for element in message[:MAX_BATCH]:
                self.read(sender, element, stamp, ended)
        else:
            self.unparsed += 1
        return ended

    def read(
        self,
        sender: Sender,
        message: object,
        stamp: Stamp,
        ended: list[Call],
        span: TraceContext | None = None,
        frame_bytes: int | None = None,
    ) -> Meaning:
        """Takes one message, decoded, and adds the calls that it ended; a notification and a response end their own
        last. `frame_bytes` is the size of its frame, if it is all of that."""
        if self._bursts:
            self._end_bursts(ended, stamp)
        if isinstance(message, dict):
            method = message.get("method")
            if message.get("jsonrpc") != "2.0":
                return self._without_version(sender, method, message, stamp, span, frame_bytes, ended)
            if isinstance(method, str):
                if "id" in message:
                    return self._request(sender, method, message, stamp, span, ended)
                return self._notification(sender, method, message.get("params"), stamp, span, ended)
            if method is None:
                return self._response(sender, message, stamp, frame_bytes, ended)
        return self._unreadable()

    def _unreadable(self) -> Meaning:
        self.unparsed += 1
        return _UNREADABLE

    def _without_version(
        self,
        sender: Sender,
        method: object,
        message: dict[str, object],
        stamp: Stamp,
        span: TraceContext | None,
        frame_bytes: int | None,
        ended: list[Call],
    ) -> Meaning:
        """Takes a message without `"jsonrpc": "2.0"`: a client's request, or the answer to one of that kind."""
        if sender == "client":
            if isinstance(method, str) and "id" in message:
                return self._request(sender, method, message, stamp, span, ended, tentative=True)
        elif method is None:
            pending, key = self._pending["client"], id_key(message.get("id"))
            call = pending.find(pending.key_of(key)) if key is not None else None
            if call is not None and call.tentative:
                return self._response(sender, message, stamp, frame_bytes, ended)
        return self._unreadable()

    def end(self, call: Call, stamp: Stamp, verdict: Verdict) -> None:
        """Ends a call that waits for its response: a front answered it, or gave it up."""
        if call.key is not None:
            self._pending[call.operation.sender].discard(call.key, call)
            self._aside.pop(call.key, None)
        self._end(call, stamp, verdict)

    def has_in_use(self, sender: Sender, request_id: object) -> bool:
        """Whether a response with this id may still come for another request of the sender's."""
        key = id_key(request_id)
        return key is not None and self._pending[sender].has_in_use(key)

    def session(self, stamp: Stamp) -> Session:
        """The session of what carried no operation."""
        return self._lifecycle.session_of(self.caller, self.client, self.protocol_version, stamp)

    def close(self, stamp: Stamp, error_type: str, text: str | None = None) -> list[Call]:
        """Ends what is still in flight as unfinished, in the order of its requests. `text` says why."""
        ended: list[Call] = []
        self._end_bursts(ended)
        left = [call for pending in self._pending.values() for call in pending.clear()]
        return ended + self._end_each(left, stamp, Verdict("unfinished", error_type), text)

    def end_those(self, since: int, before: int, stamp: Stamp, verdict: Verdict, text: str | None = None) -> list[Call]:
        """Ends what is in flight with a sequence from `since` to `before`, in the order of its requests."""
        left = [
            call
            for pending in self._pending.values()
            for call, _ in pending.remove(lambda sequence: since <= sequence < before)
        ]
        return self._end_each(left, stamp, verdict, text)

    def set_aside(self, since: int, before: int) -> list[Pending]:
        """Takes out the client's requests with a sequence from `since` to `before`, without ending them: the client is
        to make them again. Until `take_back` or `end` their ids are free."""
        aside = self._pending["client"].remove(lambda sequence: since <= sequence < before)
        self._aside.update({call.key: call for call, _ in aside if call.key is not None})
        return aside

    def take_back(self, aside: list[Pending]) -> bool:
        """Waits again for the responses to requests that were set aside. False if the id of one is in use meanwhile."""
        pending = self._pending["client"]
        if any(call.key is not None and pending.has_in_use(call.key) for call, _ in aside):
            return False
        for call, token in aside:
            assert call.key is not None, "a request has an id"
            self._aside.pop(call.key, None)
            if call.operation.outcome is None:  # else it was cancelled meanwhile
                pending.add(call.key, call, token)
        return True

    def _end_each(self, left: list[Call], stamp: Stamp, verdict: Verdict, text: str | None) -> list[Call]:
        left.sort(key=lambda call: call.operation.sequence)
        for call in left:
            if text is not None:
                self._lifecycle.explain(call, text)
            self._end(call, stamp, verdict)  # a tentative one too: its session counts it as under way
        return [call for call in left if not call.tentative]

    def _request(
        self,
        sender: Sender,
        method: str,
        message: dict[str, object],
        stamp: Stamp,
        span: TraceContext | None,
        ended: list[Call],
        tentative: bool = False,
    ) -> Meaning:
        request_id = message["id"]
        key = id_key(request_id)
        if key is None:
            return self._unreadable()
        params = message.get("params")
        meta = _meta_of(params)
        if sender == "client":
            if meta is not None and PROTOCOL_VERSION in meta:
                self._read_modern(meta)
            if method == "initialize":
                self._introduce(params)
        call = self._lifecycle.begin(self, sender, method, params, request_id, stamp, span)
        call.key, call.tentative = key, tentative
        token = None if meta is None else id_key(meta.get("progressToken"))
        dropped = self._pending[sender].add(key, call, token)
        if dropped is not None:
            self._end(dropped, stamp, Verdict("unfinished", OTHER))
            if not dropped.tentative:
                ended.append(dropped)
        return "request", call, None

    def _notification(
        self,
        sender: Sender,
        method: str,
        params: object,
        stamp: Stamp,
        span: TraceContext | None,
        ended: list[Call],
    ) -> Meaning:
        meta = _meta_of(params)
        if sender == "client" and meta is not None and PROTOCOL_VERSION in meta:
            self._read_modern(meta)
        has_row = method not in COUNTED or self._count(sender, method, params, stamp)
        if not has_row and not self._lifecycle.keeps_content:
            return _COUNTED
        call = self._lifecycle.begin(self, sender, method, params, None, stamp, span)
        call.counted = not has_row
        if method == "notifications/cancelled" and isinstance(params, dict):
            self._cancel(sender, params, stamp, ended)
        self._end(call, stamp, _OK)
        ended.append(call)
        return "notification", call, None

    def _read_modern(self, meta: dict[str, object]) -> None:
        """2026-07-28: each request says for itself who asks, and in which version."""
        version = version_of(meta[PROTOCOL_VERSION])
        if version is None:
            return
        self.legacy = False
        self.protocol_version = version
        self.client = self._renewed(self.client, meta.get(CLIENT_INFO))

    def _introduce(self, params: object) -> None:
        """Until 2025-11-25: the connection begins with `initialize`."""
        self.legacy = True
        if isinstance(params, dict):
            self.client = self._renewed(self.client, params.get("clientInfo"))
            self.protocol_version = version_of(params.get("protocolVersion"))

    def _count(self, sender: Sender, method: str, params: object, stamp: Stamp) -> bool:
        """Counts progress or a log message where it belongs. Returns whether it has a row of its own."""
        call = self._belongs_to(sender, method, params)
        if call is not None:
            return count(call.operation, method)
        burst = self._bursts.setdefault((sender, method), Burst())
        return burst.count(method, stamp, lambda: self._lifecycle.begin(self, sender, method, None, None, stamp))

    def _belongs_to(self, sender: Sender, method: str, params: object) -> Call | None:
        pending = self._pending[_other(sender)]
        if method == PROGRESS:
            token = id_key(params.get("progressToken")) if isinstance(params, dict) else None
            return pending.progressed(token) if token is not None else None
        if self.stream is None:
            return pending.only()
        known = self._of_stream
        if known is not None and known[0] == self.stream and known[1].operation.outcome is None:
            return known[1]
        call = pending.only(*self.stream)
        self._of_stream = None if call is None else (self.stream, call)
        return call

    def _end_bursts(self, ended: list[Call], stamp: Stamp | None = None) -> None:
        """Ends the bursts that are over by then, or all."""
        for key, burst in list(self._bursts.items()):
            if stamp is None or burst.is_over(stamp):
                del self._bursts[key]
                rest = burst.end()
                if rest is not None:
                    self._end(*rest, _OK)
                    ended.append(rest[0])

    def _cancel(self, sender: Sender, params: dict[str, object], stamp: Stamp, ended: list[Call]) -> None:
        key = id_key(params.get("requestId"))
        if key is None:
            return
        pending = self._pending[sender]
        call = pending.give_up(pending.key_of(key))
        if call is None and sender == "client":
            call = self._aside.pop(key, None)
        if call is None and sender == "server":  # its own requests come first: both may use the id
            call = self._torn_down(key)
        if call is not None:
            call.operation.cancelled_by = sender
            self._end(call, stamp, of_cancellation(params.get("reason")))
            if not call.tentative:
                ended.append(call)

    def _torn_down(self, key: Key) -> Call | None:
        """A server ends the client's `subscriptions/listen` so, and nothing else (2026-07-28, Subscriptions)."""
        pending = self._pending["client"]
        key = pending.key_of(key)
        call = pending.find(key)
        return pending.give_up(key) if call is not None and call.operation.method == "subscriptions/listen" else None

    def _response(
        self,
        sender: Sender,
        message: dict[str, object],
        stamp: Stamp,
        frame_bytes: int | None,
        ended: list[Call],
    ) -> Meaning:
        error, result = message.get("error"), message.get("result")
        failed = is_error(error)
        if not failed and not is_result(result):
            return self._unreadable()
        pending = self._pending[_other(sender)]
        key = id_key(message.get("id"))
        call = pending.take(key) if key is not None else None
        if call is None and key is not None:
            key = pending.key_of(key)
            call = pending.take(key)
        if call is not None and call.held:  # the receiver has not seen it, and cannot have answered it
            pending.add(key, call, None)  # type: ignore[arg-type]  # a call was found by it
            call = None
        if call is None:
            if key is not None and pending.is_late(key):
                return _LATE
            self.unmatched += 1
            return _UNMATCHED
        lifecycle = self._lifecycle
        call.tentative = False
        if failed:
            verdict = lifecycle.refuse(call, error, _value_bytes(frame_bytes, message["id"], "error"))
        else:
            error = None
            verdict = lifecycle.succeed(call, result, _value_bytes(frame_bytes, message["id"], "result"))
            if isinstance(result, dict) and ("_meta" in result or call.operation.method == "initialize"):
                self._learn(call.operation, result)
        self._end(call, stamp, verdict)
        ended.append(call)
        return "response", call, Response(result, error) if lifecycle.keeps_content else None

    def _learn(self, operation: Operation, result: dict[str, object]) -> None:
        """Takes what a result says of the server itself."""
        if operation.sender != "client":
            return
        meta = result.get("_meta")
        if isinstance(meta, dict) and SERVER_INFO in meta:  # 2026-07-28: each result says who answers
            self._server_is(meta[SERVER_INFO])
        if operation.method == "initialize":
            self._server_is(result.get("serverInfo"))
            self.protocol_version = version_of(result.get("protocolVersion")) or self.protocol_version
            operation.protocol_version = self.protocol_version

    def _server_is(self, info: object) -> None:
        self.server = self._registry.server = self._renewed(self.server, info)

    def _renewed(self, known: Peer, info: object) -> Peer:
        """The peer as it now names itself; the known one if it names nothing."""
        found = peer_of(info)
        return known if found is None or found == known else self._registry.peer(found.name, found.version)

    def _end(self, call: Call, stamp: Stamp, verdict: Verdict) -> None:
        call.operation.server = self.server
        if call.caller is not self.caller:
            call.caller = _joined(call.caller, self.caller)
        self._end_call(call, stamp.mono_ns, verdict)


def _meta_of(params: object) -> dict[str, object] | None:
    meta = params.get("_meta") if isinstance(params, dict) else None
    return meta if isinstance(meta, dict) else None


def _joined(began: Caller, now: Caller) -> Caller:
    """Who began a call, in the session that the server has named since."""
    if (began.protocol_session, began.issued, began.sse_endpoint) == (
        now.protocol_session,
        now.issued,
        now.sse_endpoint,
    ):
        return began
    return replace(began, protocol_session=now.protocol_session, issued=now.issued, sse_endpoint=now.sse_endpoint)


def _other(sender: Sender) -> Sender:
    return "server" if sender == "client" else "client"


def _value_bytes(frame_bytes: int | None, request_id: object, member: str) -> int | None:
    """Size of a response's `result` or `error` as it was sent: the frame without its envelope.

    Exact for a frame of compact JSON, else the envelope's spaces count in. None for an element of a batch.
    """
    if frame_bytes is None:
        return None
    own = len(request_id) + 2 if isinstance(request_id, str) else len(str(request_id))
    return max(0, frame_bytes - _ENVELOPE_BYTES - own - len(member))
