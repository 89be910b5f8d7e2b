"""Accepts gRPC clients and forwards their bytes to grpc, which listens on a private socket. Alters no byte.

grpc cannot choose which connection to evict: 1,200 idle connections of one client shut all others out for up to 30
seconds, or forever if each has a call that never sends. The gateway learns what each connection waits for from the
heads of its HTTP/2 frames, and evicts by the same rule as for HTTP. It also terminates TLS, and counts requests that
grpc refuses before our handler runs.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Final

from mcpobs.collector.admission import Admission
from mcpobs.collector.frames import DATA, END_STREAM, GOAWAY, HEADERS, PREFACE, RST_STREAM, Frame, Frames
from mcpobs.collector.handshake import Handshake, drop_handshakes, peer_of
from mcpobs.collector.limits import Limits
from mcpobs.listening import BACKLOG

_OWED_S = 10.0
"""Time for which a complete request protects its connection from eviction; limited, because a client may never read the
answer."""
_LAST_S = 1.0
"""Time to forward the last answers when the collector stops."""
_HIGH_BYTES = 1 << 16
_NOT_HTTP2 = (
    b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\ncontent-length: 37\r\nconnection: close\r\n\r\n"
    b"this port takes gRPC over HTTP/2 only"
)
_IN_ORDER: Final = (0, 2)
"""Error codes of goodbyes that are not refusals: grpc sends 2 (internal error) to an idle connection."""
NO_MESSAGE: Final = "the call has no message"
_REFUSALS: Final = (
    (b"larger than max", "too_large", "RESOURCE_EXHAUSTED"),
    (b"metadata size exceeds", "head_too_large", "RESOURCE_EXHAUSTED"),
    (b"ecompression failed", "malformed", "INTERNAL"),
    (b"grpc-encoding", "wrong_coding", "INTERNAL"),
    (NO_MESSAGE.encode(), "malformed", "INVALID_ARGUMENT"),
)
"""Text of grpc's own error messages, which it never compresses, with the reason and the status. The last is ours; only
here is it known whether it was sent or grpc refused the message first."""


class Gateway:
    """All gRPC connections of a collector."""

    def __init__(self, path: str, limits: Limits, counters: Counter[str]) -> None:
        self.path = path
        self.limits = limits
        self.counters = counters
        self._loop = asyncio.get_running_loop()
        self.admission = Admission(limits.connections, self._loop.time)
        self.clients: set[_Client] = set()
        self.stopping = False
        self._left = asyncio.Event()
        self._servers: list[asyncio.Server] = []
        self._look()

    async def listen(self, sockets: list[socket.socket], tls: ssl.SSLContext | None) -> None:
        """Serves until `close`. Owns the sockets."""
        accept: Callable[[], asyncio.Protocol] = partial(_Client, self)
        if tls is not None:
            accept = partial(Handshake, tls, self.admission, self.limits, self.counters, "grpc", accept)
        for bound in sockets:
            self._servers.append(await self._loop.create_server(accept, sock=bound, backlog=BACKLOG))

    def accept_no_more(self) -> None:
        self.stopping = True
        for server in self._servers:
            server.close()
        drop_handshakes(self.admission)

    async def close(self) -> None:
        """Ends all connections. Call it after grpc has ended its calls: grpc then closes its connections, and its last
        answers are still forwarded."""
        for client in list(self.clients):
            client.close_unless_connected()
        with suppress(TimeoutError):
            async with asyncio.timeout(_LAST_S):
                while self.clients:
                    self._left.clear()
                    await self._left.wait()
        self._timer.cancel()
        for client in list(self.clients):
            client.close()
        while self.clients:
            await asyncio.sleep(0)

    def forget(self, client: _Client) -> None:
        """Removes a connection that has ended."""
        self.admission.leave(client)
        self.clients.discard(client)
        self._left.set()

    def _look(self) -> None:
        now = self._loop.time()
        for client in list(self.clients):
            client.look(now)
        self._timer = self._loop.call_later(min(1.0, self.limits.head_s / 4, self.limits.linger_s / 4), self._look)


class _Client(asyncio.Protocol):
    """A client's connection, with its counterpart to grpc once its preface has arrived."""

    def __init__(self, owner: Gateway) -> None:
        self._owner = owner
        self._limits = owner.limits
        self._loop = asyncio.get_running_loop()
        self._since = self._loop.time()
        self._blocked_since: float | None = None
        self._preface: bytes | None = b""
        self._server: _Server | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._frames = Frames(kept=False)
        self._body_bytes = 0
        self._begun: set[int] = set()
        self._owed: dict[int, float] = {}
        self._dismissed = False
        self.answered = False
        self.peer = ""

    # Eviction.

    def waited_s(self, now: float) -> float:
        if self._blocked_since is not None:
            return now - self._blocked_since
        if self._owed and now - next(iter(self._owed.values())) < _OWED_S:
            return 0.0
        return now - self._since - self._body_bytes / self._limits.body_bytes_per_s

    def evict(self) -> None:
        self._drop("turned_out")

    def look(self, now: float) -> None:
        """Ends the connection if its client is too slow. grpc itself ends idle connections."""
        if self._blocked_since is not None and now - self._blocked_since > self._limits.linger_s:
            self._drop("unread")
        elif self._preface is not None and now - self._since > self._limits.head_s:
            self._owner.counters["grpc.refused.slow"] += 1
            self.close()

    def _drop(self, why: str) -> None:
        self._owner.counters[f"grpc.connections.{why}"] += 1
        self.close()

    def close(self) -> None:
        self._transport.abort()
        if self._server is not None:
            self._server.transport.abort()

    def close_unless_connected(self) -> None:
        if self._server is None:
            self.close()

    # Called by asyncio.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport
        self.peer = peer_of(transport)
        transport.set_write_buffer_limits(_HIGH_BYTES)
        if not self._owner.admission.enter(self):
            self._owner.admission.leave(self)
            self._owner.counters["grpc.refused.too_many_connections"] += 1
            transport.abort()
            return
        self._owner.clients.add(self)

    def data_received(self, data: bytes) -> None:
        if self._transport.is_closing():
            return
        if self._preface is not None:
            self._preface += data
            if not PREFACE.startswith(self._preface[: len(PREFACE)]):
                self._owner.counters["grpc.refused.not_http2"] += 1
                self._transport.write(_NOT_HTTP2)
                self._transport.close()
                return
            if len(self._preface) >= len(PREFACE) and self._connecting is None:
                self._transport.pause_reading()
                self._connecting = self._loop.create_task(self._connect(), name="gateway")
            return
        self._follow(data)
        if self._server is not None:
            self._server.transport.write(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._owner.forget(self)
        if self._connecting is not None:
            self._connecting.cancel()
        if self._server is not None:
            self._server.transport.abort()

    def pause_writing(self) -> None:
        self._blocked_since = self._loop.time()
        if self._server is not None:
            self._server.transport.pause_reading()

    def resume_writing(self) -> None:
        self._blocked_since = None
        if self._server is not None:
            self._server.transport.resume_reading()

    # The two directions.

    async def _connect(self) -> None:
        try:
            _, server = await self._loop.create_unix_connection(partial(_Server, self), self._owner.path)
        except OSError:  # when the collector stops, or without a free file descriptor
            self._drop("cut_off")
            return
        self._server = server
        sent, self._preface = self._preface or b"", None
        server.transport.write(sent)
        self._follow(sent[len(PREFACE) :])
        self._transport.resume_reading()

    def pause_sending(self) -> None:
        """Stops reading because grpc accepts no more for now."""
        self._transport.pause_reading()

    def resume_sending(self) -> None:
        self._transport.resume_reading()

    def _follow(self, data: bytes) -> None:
        """Records the frames that the client has sent."""
        for frame in self._frames.feed(data):
            if frame.kind == DATA:
                self._body_bytes += frame.size
            elif frame.kind == HEADERS:
                if not self._begun and not self._owed:
                    self._since, self._body_bytes = self._loop.time(), 0
                self._begun.add(frame.stream)
            elif frame.kind == RST_STREAM:
                if frame.stream in self._begun or frame.stream in self._owed:
                    self._owner.counters["grpc.gone"] += 1
                self._end(frame.stream)
            if frame.flags & END_STREAM and frame.kind in (DATA, HEADERS) and frame.stream in self._begun:
                self._begun.discard(frame.stream)
                self._owed[frame.stream] = self._loop.time()

    def deliver(self, data: bytes, frames: list[Frame]) -> None:
        """Forwards grpc's answers."""
        if self._transport.is_closing():
            return
        for frame in frames:
            if frame.kind == GOAWAY:
                self._dismissed = True
                if _code(frame) not in _IN_ORDER:
                    self._owner.counters["grpc.refused.protocol_error"] += 1
            elif frame.kind == RST_STREAM:
                if _code(frame) and (frame.stream in self._begun or frame.stream in self._owed):
                    self._owner.counters["grpc.refused.protocol_error"] += 1
                self._end(frame.stream)
            elif frame.kind == HEADERS and frame.flags & END_STREAM:
                for words, reason, status in _REFUSALS:
                    if words in frame.payload:
                        self._owner.counters[f"grpc.refused.{reason}"] += 1
                        self._owner.counters[f"grpc.answered.{status}"] += 1
                        break
                self.answered = True
                self._end(frame.stream)
        self._transport.write(data)

    def take_leave(self) -> None:
        """Ends the connection after grpc closed its side. If grpc sent no goodbye, it could not parse the client's
        bytes."""
        if not (self._dismissed or self._owner.stopping or self._transport.is_closing()):
            self._owner.counters["grpc.refused.protocol_error"] += 1
        self._transport.close()

    def _end(self, stream: int) -> None:
        self._begun.discard(stream)
        self._owed.pop(stream, None)
        self._since, self._body_bytes = self._loop.time(), 0


def _code(frame: Frame) -> int:
    """Returns the error code of a reset or a goodbye."""
    return int.from_bytes(frame.payload[4:8] if frame.kind == GOAWAY else frame.payload[:4])


class _Server(asyncio.Protocol):
    """The connection to grpc for a client's connection."""

    def __init__(self, client: _Client) -> None:
        self._client = client
        self._frames = Frames(kept=True)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.transport = transport
        transport.set_write_buffer_limits(_HIGH_BYTES)

    def data_received(self, data: bytes) -> None:
        self._client.deliver(data, list(self._frames.feed(data)))

    def connection_lost(self, exc: Exception | None) -> None:
        self._client.take_leave()

    def pause_writing(self) -> None:
        self._client.pause_sending()

    def resume_writing(self) -> None:
        self._client.resume_sending()
