"""Bounds what clients may ask of the collector at a time. Counts what is held; never reads, waits or answers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from mcpobs.collector.intake import RefusedError

MIB = 1 << 20
BUSY_RETRY_S = 1.0
RETRY_S = 5.0
"""Where a refusal does not say."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on bodies, on what is held at once, and on how slow a client may be."""

    body_bytes: int = 20 * MIB
    """Of one request, as it is sent and when it is unpacked. An OpenTelemetry Collector takes as much by default."""
    held_bytes: int = 64 * MIB
    """Of all requests that are being read or stored."""
    requests: int = 256
    """That may be with the intake when the next one is read."""
    connections: int = 1000
    """Of each protocol."""
    head_bytes: int = 32 * 1024
    """Of a request's line and headers; its trailers and the framing of its chunks come on top."""
    head_s: float = 10.0
    """From the connection, or from a further request's first byte, to the end of its headers; a TLS handshake too."""
    body_s: float = 60.0
    """From the headers to the end of the body."""
    body_bytes_per_s: int = 4096
    """Least mean rate of a body that takes longer than `head_s`."""
    idle_s: float = 120.0
    """Between two requests of a connection. Exporters of metrics send one a minute."""
    linger_s: float = 5.0
    """For a client to read its answer, and to end sending what is not wanted: a connection that is closed while its
    client sends loses the answer that tells so."""


class Room:
    """What is held at the moment. Belongs to one event loop."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.held_bytes = 0
        self.requests = 0

    def check(self, announced_bytes: int = 0) -> None:
        """Raises RefusedError if a request of this size would not find room now; to be asked before it is read."""
        if self.requests >= self.limits.requests:
            raise RefusedError("busy", f"{self.requests} requests are being stored already", BUSY_RETRY_S)
        self.check_bytes(announced_bytes)

    def check_bytes(self, more_bytes: int) -> None:
        """Raises RefusedError if so many bytes more are too many."""
        if self.held_bytes + more_bytes > self.limits.held_bytes:
            raise RefusedError("busy", f"{self.held_bytes} bytes of requests are held already", BUSY_RETRY_S)

    @contextmanager
    def storing(self) -> Iterator[None]:
        """While a request is with the intake. One that was read is let in: its bytes are counted, and to send it
        again would cost more."""
        self.requests += 1
        try:
            yield
        finally:
            self.requests -= 1

    @contextmanager
    def place(self) -> Iterator[Place]:
        """For one request's body, as long as it is in memory."""
        place = Place(self)
        try:
            yield place
        finally:
            self.held_bytes -= place.held_bytes


class Place:
    """What one request holds of the room.

    Only bytes that are there count: what a request merely announces would let slow clients fill the room with nothing.
    """

    def __init__(self, room: Room) -> None:
        self._room = room
        self.held_bytes = 0

    def hold(self, more_bytes: int) -> None:
        """Raises RefusedError where the room is full."""
        self._room.check_bytes(more_bytes)
        self._room.held_bytes += more_bytes
        self.held_bytes += more_bytes


def again_s(refusal: RefusedError) -> float | None:
    """When the same request may be sent again; None for never."""
    if refusal.why == "malformed":
        return None
    return RETRY_S if refusal.retry_after_s is None else refusal.retry_after_s
