"""One HTTP connection: uvicorn's, with deadlines and bounds that it lacks. Knows nothing of OTLP but how to refuse.

uvicorn waits for ever for headers and bodies, and for a client that does not read; its parser keeps whatever comes
before the end of the headers, and between the chunks of a body. A connection here knows what it waits for and since
when; `Connections` looks at all of them now and then, which costs a request nothing.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from email.utils import formatdate
from enum import Enum, auto
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from mcpobs.collector import answers
from mcpobs.collector.limits import Limits

if TYPE_CHECKING:
    from mcpobs.collector.http import HttpReceiver

_CODES: Final[dict[int, int]] = {
    400: answers.INVALID_ARGUMENT,
    408: answers.DEADLINE_EXCEEDED,
    431: answers.INVALID_ARGUMENT,
    503: answers.UNAVAILABLE,
}
_TURN_OUT_S = 1.0
"""A connection that has waited less is not turned out for a new one."""
_PIPELINED = 32
"""Requests that may wait behind one. No OTLP client sends a second one before the answer to the first."""


class Phase(Enum):
    """What a connection waits for."""

    HEAD = auto()
    BODY = auto()
    ANSWER = auto()
    """Ours: the client is waiting."""
    DRAIN = auto()
    """The rest of a body, of which the answer is out. It is thrown away, so that the client comes to read."""
    IDLE = auto()
    END = auto()
    """Closed on our side; the client has yet to read."""


class Connections:
    """All HTTP connections of a process."""

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
            timeout_keep_alive=86_400,  # ours is `idle_s`
        )
        self._config.load()
        self._look()

    def connect(self) -> asyncio.Protocol:
        """A protocol for a connection that was just made."""
        return _Connection(self, self._config, self._state, self._loop)

    @property
    def open(self) -> set[_Connection]:
        return self._state.connections  # type: ignore[return-value]  # `connect` makes no others

    def make_room(self) -> bool:
        """Turns out the connection that has kept us waiting longest, if there are too many; strangers first. False
        where all of them are at work."""
        if len(self.open) < self.limits.connections:
            return True
        now = self._loop.time()
        waited = [(not other.known, other.waited_s(now), other) for other in self.open]
        candidates = [one for one in waited if one[1] >= _TURN_OUT_S]
        if not candidates:
            return False
        max(candidates, key=lambda one: one[:2])[2].drop("turned_out")
        return True

    async def stop(self, grace_s: float) -> None:
        """Lets requests in flight end, for so long; then ends them."""
        for connection in list(self.open):
            connection.shutdown()
        if self._state.tasks:
            await asyncio.wait(self._state.tasks, timeout=grace_s)
        for connection in list(self.open):
            connection.drop("cut_off")
        tasks = list(self._state.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        while self.open:  # an abort takes a turn of the loop
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
        self.known = False
        self._phase = Phase.HEAD
        self._since = loop.time()
        self._head_bytes = 0
        self._wire_bytes = 0
        self._body_bytes = 0
        self._blocked_since: float | None = None

    def waited_s(self, now: float) -> float:
        """How long the client has kept us waiting; of a body, by how much it is behind its least rate."""
        if self._blocked_since is not None:
            return now - self._blocked_since
        if self._phase is Phase.ANSWER:
            return 0.0
        credit_s = self._body_bytes / self._limits.body_bytes_per_s if self._phase is Phase.BODY else 0.0
        return now - self._since - credit_s

    def look(self, now: float) -> None:
        """Ends the connection if its client is too slow."""
        limits, spent_s = self._limits, now - self._since
        if self._blocked_since is not None and now - self._blocked_since > limits.linger_s:
            self.drop("unread")
            return
        match self._phase:
            case Phase.HEAD if spent_s > limits.head_s:
                self._refuse(408, "the headers come too slowly")
            case Phase.BODY if spent_s > limits.body_s or self.waited_s(now) > limits.head_s:
                self._refuse(408, "the body comes too slowly")
            case Phase.IDLE if spent_s > limits.idle_s:
                self.transport.close()
                self._enter(Phase.END)
            case Phase.DRAIN | Phase.END if spent_s > limits.linger_s:
                self.drop("unread")

    def drop(self, why: str) -> None:
        """Ends the connection without a word."""
        self._owner.counters[f"http.connections.{why}"] += 1
        self._enter(Phase.END)
        self.transport.abort()

    # What asyncio and uvicorn call.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        admitted = self._owner.make_room()
        super().connection_made(transport)
        if not admitted:
            self._refuse(503, "too many connections")

    def data_received(self, data: bytes) -> None:
        if self._phase is Phase.END:
            return
        if self._phase is Phase.IDLE:
            self._enter(Phase.HEAD)
        self._wire_bytes += len(data)
        super().data_received(data)
        self._check_framing()

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head_bytes += len(name) + len(value)
        if self._head_bytes <= self._limits.head_bytes:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        if self._phase is Phase.END:
            return
        if self._head_bytes + len(self.url) > self._limits.head_bytes:
            self._refuse(431, f"the headers are longer than {self._limits.head_bytes} bytes")
            return
        if len(self.pipeline) >= _PIPELINED:
            self._refuse(503, "too many requests are waiting on this connection")
            return
        self._enter(Phase.BODY)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if self._phase is Phase.END:
            return
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        if self._phase is Phase.END:
            return
        super().on_message_complete()
        self._head_bytes = self._wire_bytes = self._body_bytes = 0
        self._enter(Phase.IDLE if self.cycle.response_complete else Phase.ANSWER)

    def on_response_complete(self) -> None:
        self.known = True
        self.cycle.body = bytearray()
        if self._phase is Phase.BODY:
            self._enter(Phase.DRAIN)
        elif self._phase is Phase.ANSWER and not self.pipeline:
            self._enter(Phase.IDLE)
        super().on_response_complete()
        self._unset_keepalive_if_required()
        if self.transport.is_closing():
            self._enter(Phase.END)

    def send_400_response(self, msg: str) -> None:
        self._refuse(400, "this is not HTTP/1.1 as RFC 9112 says")

    def pause_writing(self) -> None:
        self._blocked_since = self.loop.time()
        super().pause_writing()

    def resume_writing(self) -> None:
        self._blocked_since = None
        super().resume_writing()

    def _enter(self, phase: Phase) -> None:
        self._phase = phase
        self._since = self.loop.time()

    def _check_framing(self) -> None:
        """Whether all that came is either body or of bounded size. The parser itself keeps what it has of a header
        (or a trailer) that has no end, and calls us for each chunk, even of one byte."""
        if self._phase in (Phase.HEAD, Phase.BODY, Phase.DRAIN):
            beside_bytes = self._wire_bytes - self._body_bytes
            allowed_bytes = self._limits.head_bytes + self._body_bytes // 2
            if beside_bytes > 2 * allowed_bytes:
                self._refuse(431, "there is more framing than body")
            elif self._phase is Phase.DRAIN and self._wire_bytes > self._limits.body_bytes:
                self.drop("unread")

    def _refuse(self, status: int, message: str) -> None:
        """Answers without the application, which learns that the client is gone, and ends the connection."""
        if self._phase is Phase.END:
            return
        self._owner.counters[f"http.answered.{status}"] += 1
        self._enter(Phase.END)
        cycle = self.cycle
        if cycle is None or cycle.response_complete or not cycle.response_started:
            body = answers.refused(_CODES[status], message, "json")
            head = (
                f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\ncontent-type: application/json\r\n"
                f"content-length: {len(body)}\r\nconnection: close\r\n"
                + ("retry-after: 1\r\n" if status == 503 else "")
                + "\r\n"
            )
            self.transport.write(head.encode() + body)
        if cycle is not None and not cycle.response_complete:
            cycle.disconnected = True
            cycle.message_event.set()
        self.transport.close()
