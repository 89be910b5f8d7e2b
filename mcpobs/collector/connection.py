"""HTTP connections: uvicorn's, with the deadlines and bounds that it lacks. Knows nothing of OTLP but how to refuse.

uvicorn waits for ever for headers, for bodies, and for a client that does not read; its parser keeps whatever comes
before the end of a header. A connection here knows what it waits for and since when, and all of them are looked at now
and then, which costs a request nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections import Counter
from collections.abc import Callable
from email.utils import formatdate
from enum import Enum, auto
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from mcpobs.collector import answers
from mcpobs.collector.admission import Admission
from mcpobs.collector.handshake import Handshake, drop_handshakes, peer_of
from mcpobs.collector.http import REFUSED, encoding_of
from mcpobs.collector.limits import Limits
from mcpobs.listening import BACKLOG

if TYPE_CHECKING:
    from mcpobs.collector.http import HttpReceiver

_PIPELINED = 16
"""Requests that may wait behind one. No OTLP client sends a second one before the answer to the first."""
_AHEAD_BYTES = 1 << 17
"""Of a body, before the application takes it. asyncio reads 256 KiB at a time."""
_CODES: Final[dict[int, int]] = {
    400: answers.INVALID_ARGUMENT,
    408: answers.DEADLINE_EXCEEDED,
    431: answers.INVALID_ARGUMENT,
    503: answers.UNAVAILABLE,
}


class Phase(Enum):
    """What a connection waits for."""

    HEAD = auto()
    BODY = auto()
    ANSWER = auto()
    """Our own; the client waits."""
    IDLE = auto()
    END = auto()
    """Closed on our side; the client may still read."""


class Connections:
    """All HTTP connections of a collector."""

    def __init__(self, receiver: HttpReceiver, limits: Limits, counters: Counter[str]) -> None:
        self.limits = limits
        self.counters = counters
        self._loop = asyncio.get_running_loop()
        self._state = ServerState()
        self._config = Config(
            receiver,
            interface="asgi3",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
        )
        self._config.load()
        self._servers: list[asyncio.Server] = []
        self.admission = Admission(limits.connections, self._loop.time)
        self._look()

    async def listen(self, sockets: list[socket.socket], tls: ssl.SSLContext | None) -> Connections:
        """Serves until `stop`. Takes the sockets over."""
        accept: Callable[[], asyncio.Protocol] = self._connect
        if tls is not None:
            accept = partial(Handshake, tls, self.admission, self.limits, self.counters, "http", self._connect)
        for bound in sockets:
            self._servers.append(await self._loop.create_server(accept, sock=bound, backlog=BACKLOG))
        return self

    def _connect(self) -> _Connection:
        return _Connection(self, self._config, self._state, self._loop)

    @property
    def open(self) -> set[_Connection]:
        return self._state.connections  # type: ignore[return-value]  # `_connect` makes no others

    async def stop(self, grace_s: float) -> None:
        """Lets requests in flight end, for so long; then ends them. May be called again, with less."""
        for server in self._servers:
            server.close()
        drop_handshakes(self.admission)
        for connection in list(self.open):
            connection.shutdown()
        if self._state.tasks:
            await asyncio.wait(list(self._state.tasks), timeout=grace_s)
        for connection in list(self.open):
            connection.drop("cut_off")
        tasks = list(self._state.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        while self.open:  # asyncio tells of a lost connection in a later turn
            await asyncio.sleep(0)
        self._timer.cancel()

    def _look(self) -> None:
        now = self._loop.time()
        for connection in list(self.open):
            connection.look(now)
        self._state.default_headers = [(b"date", formatdate(usegmt=True).encode())]
        every_s = min(1.0, self.limits.head_s / 4, self.limits.linger_s / 4)
        self._timer = self._loop.call_later(every_s, self._look)


class _Connection(HttpToolsProtocol):
    def __init__(self, owner: Connections, config: Config, state: ServerState, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(config=config, server_state=state, app_state={}, _loop=loop)
        self._owner = owner
        self._limits = owner.limits
        self.answered = False
        self.peer = ""
        self._phase = Phase.HEAD
        self._since = loop.time()
        self._blocked_since: float | None = None
        # Of the request that is being parsed:
        self._head_bytes = 0
        self._body_bytes = 0
        self._wire_bytes = 0
        self._begun = False
        self._offered = False

    def waited_s(self, now: float) -> float:
        """How long the client has kept us waiting; for a body, by how much it is behind its least rate."""
        if self._blocked_since is not None:
            return now - self._blocked_since
        if self._phase is Phase.ANSWER:
            return 0.0
        credit_s = self._body_bytes / self._limits.body_bytes_per_s if self._phase is Phase.BODY else 0.0
        return now - self._since - credit_s

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
        """Ends the connection without a word."""
        self._owner.counters[f"http.connections.{why}"] += 1
        self._enter(Phase.END)
        self.transport.abort()

    # What asyncio calls.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.peer = peer_of(transport)
        admitted = self._owner.admission.enter(self)
        super().connection_made(transport)
        if not admitted:
            self._refuse("too_many_connections", 503, "too many connections")

    def connection_lost(self, exc: Exception | None) -> None:
        self._owner.admission.leave(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._phase is Phase.END:
            return
        if self._phase is Phase.IDLE:
            self._enter(Phase.HEAD)
        while data and not self._ended():
            self._wire_bytes += len(data)
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as offer:
                data = self._without_offer() + data[offer.args[0] :]
            except httptools.HttpParserError:
                self._refuse("not_http", 400, "this is not a request in HTTP/1.1")
                return
            else:
                data = b""
        self._check_framing()

    def pause_writing(self) -> None:
        self._blocked_since = self.loop.time()
        super().pause_writing()

    def resume_writing(self) -> None:
        self._blocked_since = None
        super().resume_writing()

    # What the parser calls.

    def on_message_begin(self) -> None:
        self._begun = True
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head_bytes += len(name) + len(value) + 4
        if self._head_bytes <= self._limits.head_bytes:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        if self._phase is Phase.END:
            return
        if self._head_bytes + len(self.url) > self._limits.head_bytes:
            self._refuse("head_too_large", 431, f"the headers are longer than {self._limits.head_bytes} bytes")
        elif self.parser.get_http_version() not in ("1.0", "1.1"):
            self._refuse("not_http", 400, "this is not a request in HTTP/1.1")
        elif len(self.pipeline) >= _PIPELINED:
            self._refuse("busy", 503, "too many requests wait on this connection")
        elif self.parser.should_upgrade():
            self._offered = True
        else:
            self._name_the_host()
            if self._phase is Phase.HEAD:  # else it waits behind another one
                self._enter(Phase.BODY)
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """As uvicorn's, without its two copies: what is read at once is at once the body's next piece."""
        cycle = self.cycle
        if self._phase is Phase.END or cycle.response_complete:
            return
        self._body_bytes += len(body)
        cycle.body = cycle.body + body if cycle.body else body  # type: ignore[assignment]
        if len(cycle.body) > _AHEAD_BYTES:
            self.flow.pause_reading()
        cycle.message_event.set()

    def on_message_complete(self) -> None:
        if self._offered:
            return  # the parser's end, not the request's
        self._begun = False
        self._head_bytes = self._body_bytes = self._wire_bytes = 0
        if self._phase is not Phase.END:
            super().on_message_complete()
            self._enter(Phase.ANSWER)

    # What a request's cycle calls.

    def on_response_complete(self) -> None:
        self.answered = True
        # A body that has not ended is not wanted any more. The application has given its client time to see that.
        if self._phase is Phase.BODY:
            self._close()
        elif self.pipeline:
            self._enter(Phase.BODY if self.pipeline[-1][0].more_body else Phase.ANSWER)
        elif self._phase is Phase.ANSWER:
            self._enter(Phase.HEAD if self._begun else Phase.IDLE)
        super().on_response_complete()
        self._unset_keepalive_if_required()  # `look` does that
        if self.transport.is_closing():
            self._enter(Phase.END)

    def _ended(self) -> bool:
        return self._phase is Phase.END

    def _enter(self, phase: Phase) -> None:
        self._phase = phase
        self._since = self.loop.time()

    def _without_offer(self) -> bytes:
        """The head that was just parsed, without its offer to speak h2c or a websocket, for another parser.

        An offer may be ignored (RFC 9110 §7.8), but llhttp takes it for the end of HTTP and passes the body over.
        Java's HttpClient makes one with its first request, and would be told that a body is stored which nobody read.
        """
        if self.parser.get_method() == b"CONNECT":
            self._refuse("not_http", 400, "this is no proxy")
            return b""
        head = [b"%s %s HTTP/%s" % (self.parser.get_method(), self.url, self.parser.get_http_version().encode())]
        for name, value in self.headers:
            if name == b"connection":
                value = b", ".join(word for word in value.split(b",") if word.strip().lower() != b"upgrade")
            if name != b"upgrade":
                head.append(name + b": " + value)
        self._offered = False
        self._head_bytes = self._wire_bytes = 0
        self.parser = _parser(self)
        return b"\r\n".join([*head, b"", b""])

    def _name_the_host(self) -> None:
        """Makes the host of an absolute request target, which counts instead of the Host header (RFC 9112, 3.2.2),
        the Host header that the application sees."""
        if self.url.startswith(b"/") or self.url == b"*":
            return
        authority = b""
        with contextlib.suppress(ValueError):
            authority = urlsplit(self.url).netloc
        self.headers[:] = [header for header in self.headers if header[0] != b"host"]
        self.headers.append((b"host", authority.rpartition(b"@")[2]))

    def _check_framing(self) -> None:
        """Bounds what comes beside the body: headers without an end, trailers, chunks of one byte."""
        allowed_bytes = 2 * self._limits.head_bytes + self._body_bytes // 2
        if self._wire_bytes - self._body_bytes > allowed_bytes:
            self._refuse(
                "head_too_large",
                431,
                "there is more framing than body" if self._body_bytes else "the headers are too long",
            )

    def _refuse(self, reason: str, status: int, message: str) -> None:
        """Answers in place of the application, which learns that the client is gone, and ends the connection."""
        if self._phase is Phase.END:
            return
        self._owner.counters[f"http.answered.{status}"] += 1
        self._owner.counters[f"http.refused.{reason}"] += 1
        cycle = self.cycle
        unanswered = cycle is not None and not cycle.response_complete
        if not (unanswered and cycle.response_started):
            encoding = encoding_of(dict(self.headers)) if unanswered else "json"
            body = answers.refused(_CODES[status], message, encoding)
            head = [
                f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
                f"content-type: {answers.CONTENT_TYPE[encoding].decode()}",
                f"content-length: {len(body)}",
                "connection: close",
                *(["retry-after: 1"] if status == 503 else []),
            ]
            self.transport.write("\r\n".join([*head, "", ""]).encode() + body)
        if unanswered:
            cycle.scope[REFUSED] = True  # type: ignore[typeddict-unknown-key]  # a key of ours
            cycle.disconnected = True
            cycle.message_event.set()
        self._close()

    def _close(self) -> None:
        self._enter(Phase.END)
        self.transport.close()


def _parser(connection: _Connection) -> httptools.HttpRequestParser:
    """As uvicorn makes them."""
    parser = httptools.HttpRequestParser(connection)
    with contextlib.suppress(AttributeError):  # httptools before 0.6.3
        parser.set_dangerous_leniencies(lenient_data_after_close=True)
    return parser
