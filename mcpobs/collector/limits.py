"""Bounds the requests that the collector holds at a time. Only counts; never reads, waits or answers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from mcpobs.collector.intake import RefusedError

MIB = 1 << 20
BUSY_RETRY_S = 1.0
RETRY_S = 5.0
"""Retry delay of a refusal that gives none."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on bodies, on requests held at once, and on slow clients."""

    body_bytes: int = 20 * MIB
    """Size of one request, both as sent and unpacked. An OpenTelemetry Collector's default is the same."""
    held_bytes: int = 64 * MIB
    """Total of all requests being read or stored."""
    requests: int = 256
    """Requests being stored beyond which no further one is read."""
    connections: int = 1000
    """Connections of each protocol."""
    head_bytes: int = 32 * 1024
    """Size of a request's line and headers, not counting trailers and chunk framing."""
    head_s: float = 10.0
    """Time from the connection, or from a later request's first byte, to the end of the headers; also for a TLS
    handshake."""
    body_s: float = 60.0
    """Time from the headers to the end of the body."""
    body_bytes_per_s: int = 4096
    """Least mean rate of a body that takes longer than `head_s`."""
    idle_s: float = 120.0
    """Time between two requests of a connection. Metrics exporters send one per minute."""
    linger_s: float = 5.0
    """Time for a client to read its answer and to stop sending an unwanted body: closing the connection while its
    client sends would lose the answer."""


class Room:
    """The requests currently held. Belongs to one event loop."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.held_bytes = 0
        self.requests = 0

    def check(self, announced_bytes: int = 0) -> None:
        """Raises RefusedError if there is no room for a request of this size. Call it before reading the request."""
        if self.requests >= self.limits.requests:
            raise RefusedError("busy", f"{self.requests} requests are being stored already", BUSY_RETRY_S)
        self.check_bytes(announced_bytes)

    def check_bytes(self, more_bytes: int) -> None:
        """Raises RefusedError if this many more bytes exceed the limit."""
        if self.held_bytes + more_bytes > self.limits.held_bytes:
            raise RefusedError("busy", f"{self.held_bytes} bytes of requests are held already", BUSY_RETRY_S)

    @contextmanager
    def storing(self) -> Iterator[None]:
        """Counts a request while the intake stores it. Never refuses: the request is read and its bytes are counted,
        and a retry would cost more."""
        self.requests += 1
        try:
            yield
        finally:
            self.requests -= 1

    @contextmanager
    def place(self) -> Iterator[Place]:
        """Yields the reservation for one request's body while it is in memory."""
        place = Place(self)
        try:
            yield place
        finally:
            self.held_bytes -= place.held_bytes


class Place:
    """The part of the room that one request holds.

    Only received bytes count: counting announced bytes would let slow clients fill the room without sending.
    """

    def __init__(self, room: Room) -> None:
        self._room = room
        self.held_bytes = 0

    def hold(self, more_bytes: int) -> None:
        """Raises RefusedError if the room is full."""
        self._room.check_bytes(more_bytes)
        self._room.held_bytes += more_bytes
        self.held_bytes += more_bytes


def again_s(refusal: RefusedError) -> float | None:
    """Returns the delay before the same request may be retried; None for never."""
    if refusal.why == "malformed":
        return None
    return RETRY_S if refusal.retry_after_s is None else refusal.retry_after_s
