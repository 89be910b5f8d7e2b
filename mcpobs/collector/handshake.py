"""Runs the TLS handshakes of accepted connections. Each holds a place from its accept on, so that clients that never
finish are bounded and evicted like others."""

from __future__ import annotations

import asyncio
import ssl
from collections import Counter
from collections.abc import Callable

from mcpobs.collector.admission import Admission
from mcpobs.collector.limits import Limits


class Handshake(asyncio.Protocol):
    """One handshake; afterwards the protocol that `connect` returns owns the connection."""

    answered = False

    def __init__(
        self,
        context: ssl.SSLContext,
        admission: Admission,
        limits: Limits,
        counters: Counter[str],
        receiver: str,
        connect: Callable[[], asyncio.Protocol],
    ) -> None:
        self._context = context
        self._admission = admission
        self._limits = limits
        self._counters = counters
        self._receiver = receiver
        self._connect = connect
        self._loop = asyncio.get_running_loop()
        self._since = self._loop.time()
        self._early: list[bytes] = []
        self._evicted = False
        self.peer = ""

    def waited_s(self, now: float) -> float:
        return now - self._since

    def evict(self) -> None:
        self._evicted = True
        self._counters[f"{self._receiver}.connections.turned_out"] += 1
        self._transport.abort()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport
        transport.pause_reading()  # the first bytes belong to the handshake
        self.peer = peer_of(transport)
        if not self._admission.enter(self):
            self._evicted = True
            self._counters[f"{self._receiver}.refused.too_many_connections"] += 1
            transport.abort()
            return
        self._task = self._loop.create_task(self._shake_hands(), name="handshake")

    def data_received(self, data: bytes) -> None:
        """Keeps the data that asyncio delivers between the end of the handshake and its notification."""
        self._early.append(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._admission.leave(self)

    async def _shake_hands(self) -> None:
        try:
            secured = await self._loop.start_tls(
                self._transport,
                self,
                self._context,
                server_side=True,
                ssl_handshake_timeout=self._limits.head_s,
                ssl_shutdown_timeout=self._limits.linger_s,
            )
        except (OSError, asyncio.CancelledError):
            secured = None
        self._admission.leave(self)
        if secured is None or self._evicted:  # asyncio returns no transport if the connection was lost meanwhile
            if not self._evicted:
                self._counters[f"{self._receiver}.connections.handshake_failed"] += 1
            self._transport.abort()
            return
        connected = self._connect()
        secured.set_protocol(connected)
        connected.connection_made(secured)
        if self._early:
            connected.data_received(b"".join(self._early))


def drop_handshakes(admission: Admission) -> None:
    """Ends all handshakes when the collector stops."""
    for guest in list(admission.guests):
        if isinstance(guest, Handshake):
            guest.evict()


def peer_of(transport: asyncio.BaseTransport) -> str:
    """Returns the client's address; for IPv6 the network, because one machine has many addresses in it."""
    name = transport.get_extra_info("peername")
    address = str(name[0]) if isinstance(name, tuple) and name else ""
    if ":" not in address or address.startswith("::ffff:"):
        return address
    return ":".join(address.partition("%")[0].split(":")[:4])
