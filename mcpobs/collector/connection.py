"""Owns one HTTP connection: its phases, deadlines and bounds. Passes aiohttp one request at a time, and knows no OTLP.

aiohttp waits forever for a head, for a body, and for a client that reads nothing, and buffers pipelined requests. A
connection here records its phase and the phase's start; `Connections` checks all of them periodically, which costs a
request nothing.
"""

from __future__ import annotations

import asyncio
from enum import Enum, auto
from typing import TYPE_CHECKING, Final

from aiohttp import HttpVersion10, HttpVersion11, web

from mcpobs.collector import answers, heads
from mcpobs.collector.body import GoneError
from mcpobs.collector.framing import Framing, FramingError, framing_of
from mcpobs.collector.handshake import peer_of
from mcpobs.collector.headers import Headers, encoding_to_refuse
from mcpobs.collector.heads import NOT_HTTP, HeadError
from mcpobs.collector.refusal import Refusal
from mcpobs.collector.reply import Header, Reply, wire
from mcpobs.collector.requests import Requests

if TYPE_CHECKING:
    from mcpobs.collector.connections import Connections

_AHEAD_BYTES = 1 << 16
"""Bytes of further requests accepted before the answer to the first. No OTLP client sends one before that."""
_UNPARSED_BYTES = 1 << 19
"""Bytes accepted after a head before aiohttp has parsed it, which takes two turns of the event loop."""
_PIPELINED = 16
_VERSIONS: Final = (HttpVersion10, HttpVersion11)
_CODES: Final[dict[int, int]] = {
    400: answers.INVALID_ARGUMENT,
    408: answers.DEADLINE_EXCEEDED,
    431: answers.INVALID_ARGUMENT,
    500: answers.INTERNAL,
    503: answers.UNAVAILABLE,
}


class Phase(Enum):
    """The state that a connection waits in."""

    HEAD = auto()
    BODY = auto()
    ANSWER = auto()
    """The client waits for our answer."""
    IDLE = auto()
    END = auto()
    """Closed on our side; the client may still read."""


class Connection(asyncio.Protocol):
    """Sits between a transport and aiohttp."""

    def __init__(self, owner: Connections, server: web.Server) -> None:
        self._owner = owner
        self._limits = owner.limits
        self._loop = asyncio.get_running_loop()
        self._requests = Requests(self, server, owner.limits)
        self.answered = False
        self.refused = False
        self.peer = ""
        self._phase = Phase.HEAD
        self._since = self._loop.time()
        self._blocked_since: float | None = None
        self._kept = b""
        """Received bytes not yet passed to aiohttp: a part of a head, the rest after a head, further requests."""
        self._held_back = False
        """Whether reading is paused because enough is buffered."""
        self._stopping = False
        # For the request being received or answered:
        self._head: bytes | None = None
        """Set until aiohttp has parsed it."""
        self._request: web.BaseRequest | None = None
        self.headers: Headers = {}
        self._framing: Framing | None = None
        self._replied: Reply | None = None
        """Set while the rest of its body arrives."""

    # Eviction and deadlines.

    def waited_s(self, now: float) -> float:
        """Returns how long the client has kept us waiting; for a body, how far it is behind the minimum rate."""
        if self._blocked_since is not None:
            return now - self._blocked_since
        if self._phase is Phase.ANSWER:
            return 0.0
        body_bytes = self._framing.body_bytes if self._phase is Phase.BODY and self._framing else 0
        return now - self._since - body_bytes / self._limits.body_bytes_per_s

    def evict(self) -> None:
        self.drop("turned_out")

    def look(self, now: float) -> None:
        """Ends the connection if its client is too slow."""
        limits, spent_s, waited_s = self._limits, now - self._since, self.waited_s(now)
        if self._blocked_since is not None and waited_s > limits.linger_s:
            self.drop("unread")
            return
        match self._phase:
            case Phase.HEAD if spent_s > limits.head_s:
                self._refuse("slow", 408, "the headers come too slowly")
            case Phase.BODY if spent_s > limits.body_s or waited_s > limits.head_s:
                self._refuse("slow", 408, "the body comes too slowly")
            case Phase.IDLE if spent_s > limits.idle_s:
                self._close()
            case Phase.END if spent_s > limits.linger_s:
                self.drop("unread")

    def drop(self, why: str) -> None:
        """Closes the connection without an answer."""
        self._owner.counters[f"http.connections.{why}"] += 1
        self._enter(Phase.END)
        self._transport.abort()

    def stop(self) -> None:
        """Closes the connection as soon as it owes no answer."""
        self._stopping = True
        if not self.owes:
            self._close()

    @property
    def owes(self) -> bool:
        """Whether a request, or at least its head, has arrived and is unanswered."""
        return self._head is not None or (self._request is not None and self._replied is None)

    # Called by asyncio.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport
        self.peer = peer_of(transport)
        if self._owner.enter(self):
            self._requests.connection_made(transport)
        else:
            self._refuse("too_many_connections", 503, "too many connections")

    def connection_lost(self, exc: Exception | None) -> None:
        self._owner.leave(self)
        self._enter(Phase.END)
        self._kept = b""
        self._requests.connection_lost(exc)
        if self._replied is not None and self._request is not None:
            self._request.content.feed_eof()  # aiohttp would still wait for the rest
        self._request, self._replied = None, None

    def data_received(self, data: bytes) -> None:
        if self._phase is Phase.BODY:
            data = self._take_body(data)
        if not data or self._phase is Phase.END:
            return
        self._kept = self._kept + data if self._kept else data
        if self._request is None and self._head is None:
            self._take_head()
        elif len(self._kept) > (_UNPARSED_BYTES if self._request is None else _AHEAD_BYTES):
            self._held_back = True
            self._transport.pause_reading()

    def pause_writing(self) -> None:
        self._blocked_since = self._loop.time()
        self._requests.pause_writing()

    def resume_writing(self) -> None:
        self._blocked_since = None
        self._requests.resume_writing()
        self._go_on()

    # From bytes to a request.

    def _take_head(self) -> None:
        """Passes the next head to aiohttp once it is complete."""
        if self._phase is Phase.IDLE:
            self._enter(Phase.HEAD)
        try:
            self._head, self._kept = heads.cut(self._kept, self._limits.head_bytes)
        except HeadError as error:
            self._refuse(error.reason, error.status, error.message)
            return
        if self._head is not None:
            self._requests.data_received(self._head)

    def begin(self, request: web.BaseRequest, headers: Headers) -> bool:
        """Starts a request whose head aiohttp has parsed. Returns whether the application may answer it."""
        self._head, self._request, self.headers = None, request, headers
        if self._phase is Phase.END:
            return False
        try:
            self._framing = _framing_of(request, headers)
        except FramingError:
            self._refuse("not_http", 400, NOT_HTTP)
            return False
        if self._framing.ended:
            self._enter(Phase.ANSWER)
            return True
        self._enter(Phase.BODY)
        if self._kept:
            kept, self._kept = self._kept, b""
            self._kept = self._take_body(kept)
            self._read_on()
        return not self._ended()

    def _take_body(self, data: bytes) -> bytes:
        """Passes the body's part to aiohttp and returns the rest."""
        framing = self._framing
        assert framing is not None
        try:
            taken = framing.feed(data)
        except FramingError:
            self._refuse("not_http", 400, NOT_HTTP)
            return b""
        if framing.framing_bytes > 2 * self._limits.head_bytes + framing.body_bytes // 2:
            self._refuse("head_too_large", 431, "there is more framing than body")
            return b""
        self._requests.data_received(data if taken == len(data) else data[:taken])
        if framing.ended:
            self._end_body()
        elif self._replied is not None and framing.body_bytes > 2 * self._limits.body_bytes:
            self._close()
        return data[taken:]

    def _end_body(self) -> None:
        if self._replied is None:
            self._enter(Phase.ANSWER)
        else:
            self._end_request()

    # From a reply to the next request.

    @property
    def expects_continue(self) -> bool:
        """Whether the client waits for 100-continue before sending its body."""
        return self._phase is Phase.BODY and self.headers.get(b"expect", b"").lower() == b"100-continue"

    def grant_continue(self) -> None:
        self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def reply(self, reply: Reply, request: web.BaseRequest) -> bool:
        """Writes a response. Returns whether the connection ends with it."""
        if self._ended() or self._transport.is_closing():
            return True
        ends = reply.ends or self._stopping or not request.keep_alive
        headers = [(b"date", self._owner.date), *reply.given_headers]
        if ends:
            headers.append((b"connection", b"close"))
        self._transport.write(wire(reply.status, headers, None if request.method == "HEAD" else reply.content))
        self.answered = True
        if self._phase is Phase.BODY:  # a client that is still sending does not read an answer: aiohttp reads the rest
            self._replied = reply
        if reply.ends:
            self._close()
        elif self._replied is None:
            self._end_request(ends)
        return ends

    def _end_request(self, ends: bool = False) -> None:
        """Ends a request that is answered and has arrived completely."""
        ends = ends or self._stopping or (self._request is not None and not self._request.keep_alive)
        self._request, self._framing, self._replied = None, None, None
        self._enter(Phase.END if ends else Phase.IDLE)
        self._go_on()

    def _go_on(self) -> None:
        """Takes the next request if its client has read the earlier answers."""
        if self._request is None and self._head is None and self._blocked_since is None and not self._ended():
            self._read_on()
            if heads.count(self._kept) > _PIPELINED:
                self._refuse("busy", 503, "too many requests wait on this connection")
            elif self._kept:
                self._take_head()

    def _read_on(self) -> None:
        if self._held_back and len(self._kept) <= _AHEAD_BYTES and not self._ended():
            self._held_back = False
            self._transport.resume_reading()

    # Refusals instead of the application.

    def misread(self) -> Reply:
        """Returns the response to a head that aiohttp could not parse."""
        fault, self._head = heads.fault_of(self._head or b""), None
        return self._refusal(fault.reason, fault.status, fault.message)

    def failed(self) -> Reply:
        """Returns the response to a request on which the application failed."""
        return self._refusal("failed", 500, "the collector failed; see its log")

    def _refuse(self, reason: str, status: int, message: str) -> None:
        """Answers instead of the application, which sees the client as gone, and closes the connection."""
        if self._ended():
            return
        reply = self._refusal(reason, status, message)
        if self._replied is None:
            self._transport.write(wire(status, [*reply.given_headers, (b"connection", b"close")], reply.content))
            if self._request is not None:
                self.refused = True
                self._request.content.set_exception(GoneError())
        self._close()

    def _refusal(self, reason: str, status: int, message: str) -> Reply:
        self._owner.counters[f"http.answered.{status}"] += 1
        self._owner.counters[f"http.refused.{reason}"] += 1
        again: tuple[Header, ...] = ((b"retry-after", b"1"),) if status == 503 else ()
        refusal = Refusal(reason, status, _CODES[status], message, again)
        encoding = encoding_to_refuse(self.headers) if self._request is not None else "json"
        return Reply(self, status, *refusal.described(encoding), ends=True)

    def _ended(self) -> bool:
        return self._phase is Phase.END

    def _enter(self, phase: Phase) -> None:
        self._phase = phase
        self._since = self._loop.time()

    def _close(self) -> None:
        self._enter(Phase.END)
        self._kept = b""
        self._transport.close()


def _framing_of(request: web.BaseRequest, headers: Headers) -> Framing:
    """Returns the framing of a request. Raises FramingError, also for another HTTP version or a request without a
    host."""
    if request.version not in _VERSIONS or (request.version == HttpVersion11 and b"host" not in headers):
        raise FramingError
    if not request.raw_path.startswith(("/", "*")) and not headers[b"host"]:  # an absolute target
        raise FramingError
    return framing_of(headers)
