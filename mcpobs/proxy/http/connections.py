"""The front's connections to clients: deadlines, bounds on their number, and what aiohttp may log. Reads no request.

aiohttp closes a connection only after an hour without a request, and logs the line that it could not parse.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Protocol

from aiohttp import web
from aiohttp.http_exceptions import LineTooLong

from mcpobs.protocol.refusal import refusal

_PARSER = "a request that is not valid HTTP"
_TOO_MANY = "Too many headers"  # of aiohttp's error, which has no class of its own
_MOST_UNREAD = 1 << 20  # of a head, and what came with it of a body


@dataclass(frozen=True, slots=True)
class Deadlines:
    """How long a client may keep a connection without progress, and how many connections it may keep.

    No deadline applies while the server answers: a call may take hours, and an event stream stays open."""

    head_s: float = 10.0
    """From the connection, or from a further request's first byte, to the end of its headers."""
    body_s: float = 10.0
    """Time that all waiting for a request's body may take, and more at `body_bytes_per_s` for what has come."""
    body_bytes_per_s: int = 4096
    idle_s: float = 120.0
    """Between two requests of a connection."""
    stalled_s: float = 300.0
    """For a client that takes nothing of what is being sent to it."""
    waiting_per_peer: int = 512
    """Connections of one peer that have no request under way; a further one closes the one that waited longest."""
    per_peer: int = 8192
    """Connections of one peer in all; a further one is refused."""
    total: int = 16_384
    look_s: float = 1.0
    """Between two looks for expired deadlines."""


class Connections:
    """All connections of a front, by peer. Belongs to one event loop."""

    def __init__(self, deadlines: Deadlines, warn: Callable[[str, str], None]) -> None:
        self.deadlines = deadlines
        self.closed: Counter[str] = Counter()
        """Connections that were closed here, by reason."""
        self._warn = warn
        self._all: dict[Connection, str] = {}  # with its peer
        self._of_peer: Counter[str] = Counter()
        self._waiting: dict[str, dict[Connection, None]] = {}  # by peer, the one that waits longest first
        self._next_look: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._all)

    def add(self, connection: Connection, peer: str) -> None:
        """Takes a new connection, which may cost another one, or itself, its place."""
        self._all[connection] = peer
        self._of_peer[peer] += 1
        limits = self.deadlines
        if len(self._all) > limits.total and not self._evict(max(self._waiting, key=self._waits, default=peer)):
            return self._close(connection, 503, "too many connections")
        if self._of_peer[peer] > limits.per_peer and not self._evict(peer):
            return self._close(connection, 503, "too many connections of one client")
        if self._waits(peer) >= limits.waiting_per_peer:
            self._evict(peer)
        self.wait(connection)
        if self._next_look is None:
            self._look_later()
        return None

    def remove(self, connection: Connection) -> None:
        self.work(connection)
        peer = self._all.pop(connection, None)
        if peer is not None:
            self._of_peer[peer] -= 1
            if not self._of_peer[peer]:
                del self._of_peer[peer]
        if not self._all and self._next_look is not None:
            self._next_look.cancel()
            self._next_look = None

    def wait(self, connection: Connection) -> None:
        """The connection has no request under way."""
        peer = self._all.get(connection)
        if peer is not None:
            self._waiting.setdefault(peer, {})[connection] = None

    def work(self, connection: Connection) -> None:
        """The connection has a request under way."""
        peer = self._all.get(connection)
        waiting = self._waiting.get(peer) if peer is not None else None
        if peer is not None and waiting is not None:
            waiting.pop(connection, None)
            if not waiting:
                del self._waiting[peer]

    def refuse_head(self, connection: Connection) -> None:
        """Refuses a request whose head does not end: aiohttp bounds its headers one by one."""
        self._close(connection, 431, "the head of the request is too large")

    def malformed(self, kind: str, peer: str | None) -> None:
        self._warn(kind, f"{_PARSER} came from {peer or 'a client'} ({kind}); further ones of this kind are not logged")

    def _waits(self, peer: str) -> int:
        return len(self._waiting.get(peer, ()))

    def _evict(self, peer: str) -> bool:
        for connection in self._waiting.get(peer, ()):
            self._close(connection, None, "made room for another")
            return True
        return False

    def _close(self, connection: Connection, status: int | None, why: str) -> None:
        self.closed[why] += 1
        self.work(connection)
        connection.expire(status, why)

    def _look_later(self) -> None:
        self._next_look = asyncio.get_running_loop().call_later(self.deadlines.look_s, self._look)

    def _look(self) -> None:
        now_s = asyncio.get_running_loop().time()
        for connection in list(self._all):
            expired = connection.expired(now_s)
            if expired is not None:
                self._close(connection, *expired)
        self._look_later()


class Connection(web.RequestHandler):
    """One client's connection, with the time since it last made progress."""

    def __init__(self, owner: Connections, failed: Failed, server: web.Server, options: dict[str, Any]) -> None:
        super().__init__(server, loop=asyncio.get_running_loop(), **options)
        self._owner = owner
        self._failed = failed
        self._works = False
        self._has_begun = True  # a head, whose deadline runs from the connection for the first
        self._since_s = 0.0
        self._unsent = 0
        self._unsent_since_s = 0.0
        self._head_bytes = 0  # at most: what came since the last request

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._since_s = asyncio.get_running_loop().time()
        super().connection_made(transport)
        peer = transport.get_extra_info("peername")
        self._owner.add(self, _network(str(peer[0])) if peer else "?")

    def connection_lost(self, exc: BaseException | None) -> None:
        self._owner.remove(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if not (self._works or self._has_begun):
            self._has_begun = True
            self._since_s = asyncio.get_running_loop().time()
        if not self._works:
            self._head_bytes += len(data)
            if self._head_bytes > _MOST_UNREAD and not self._messages:
                return self._owner.refuse_head(self)
        super().data_received(data)
        return None

    def works(self) -> None:
        """A request has begun: its head is complete."""
        self._works, self._has_begun, self._head_bytes = True, False, 0
        self._owner.work(self)

    def rests(self) -> None:
        """The request has ended."""
        self._works = False
        self._since_s = asyncio.get_running_loop().time()
        self._owner.wait(self)

    def expired(self, now_s: float) -> tuple[int | None, str] | None:
        """The status and the reason to close the connection with; None while it may stay."""
        transport = self.transport
        if transport is None:
            return None
        limits = self._owner.deadlines
        unsent = transport.get_write_buffer_size()
        if unsent != self._unsent:
            self._unsent, self._unsent_since_s = unsent, now_s
        if unsent:
            return (None, "took nothing") if now_s - self._unsent_since_s > limits.stalled_s else None
        if self._works:
            return None
        if self._has_begun:
            return (408, "sent no whole head") if now_s - self._since_s > limits.head_s else None
        return (None, "idle") if now_s - self._since_s > limits.idle_s else None

    def expire(self, status: int | None, why: str) -> None:
        """Closes the connection, with an answer if nothing else is being sent."""
        transport = self.transport
        if transport is None:
            return
        if status is not None:
            body = refusal(None, -32600 if status < 500 else -32603, f"mcpobs: {why}")
            phrase = HTTPStatus(status).phrase
            transport.write(
                b"HTTP/1.1 %d %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b"
                % (status, phrase.encode(), len(body), body)
            )
            transport.close()
        else:
            transport.abort()

    # What aiohttp calls for an error of its parser, and of a handler.

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answers in aiohttp's place: its log has the line that came, with all that is in it."""
        self._owner.malformed(type(exc).__name__ if exc is not None else str(status), request.remote)
        return self._failed(request, status, isinstance(exc, LineTooLong) or _TOO_MANY in str(exc))

    def log_exception(self, *args: object, **kw: object) -> None:
        error = kw.get("exc_info")
        self._owner.malformed(type(error).__name__ if isinstance(error, BaseException) else "?", None)


class Failed(Protocol):
    """Records and answers a request that aiohttp could not parse, because its head is too large or otherwise wrong."""

    def __call__(self, request: web.BaseRequest, status: int, is_too_large: bool) -> web.StreamResponse: ...


class Server(web.Server):
    """aiohttp's, with connections of ours. `options` are those of aiohttp's RequestHandler."""

    def __init__(
        self,
        handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]],
        owner: Connections,
        failed: Failed,
        options: dict[str, Any],
    ) -> None:
        super().__init__(handler, handler_cancellation=True)
        self._owner = owner
        self._failed = failed
        self._options = options

    def __call__(self) -> web.RequestHandler:
        return Connection(self._owner, self._failed, self, self._options)


def _network(address: str) -> str:
    """Who is one peer: an IPv4 address, or the first 64 bits of an IPv6 address."""
    if ":" not in address or address.startswith("::"):
        return address
    import ipaddress

    try:
        return str(ipaddress.ip_network((address.partition("%")[0], 64), strict=False))
    except ValueError:
        return address
