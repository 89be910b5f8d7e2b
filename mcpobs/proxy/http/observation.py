"""Shows an exchange what passes, and keeps its faults away from the request: observing fails open."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping

from mcpobs.protocol.cut import Cut
from mcpobs.protocol.lifecycle import now
from mcpobs.proxy.http.context import Ending
from mcpobs.proxy.http.exchange import Exchange

TURN_NS = 2_000_000
"""How long one request is read along before others go on. A slice takes up to four times as long."""

Broke = Callable[[Exception], None]


class Observation:
    """The exchange of one request, or none if it could not be opened."""

    __slots__ = ("_broke", "_exchange")

    def __init__(self, exchange: Exchange | None, broke: Broke) -> None:
        self._exchange = exchange
        self._broke = broke

    @property
    def is_awaited(self) -> bool:
        """Whether calls are open in the conversation."""
        return self._exchange is not None and self._exchange.is_awaited

    def body_of_request(self, body: bytes | Cut | None, size: int) -> bytes | None:
        """Returns what to pass on in the body's place; None if the body passes as it is."""
        if self._exchange is None:
            return None
        try:
            return self._exchange.body_of_request(body, size)
        except Exception as error:
            self._broke(error)
            return None

    def answered(self, status: int, headers: Mapping[str, str], connect_ns: int | None = None) -> None:
        if self._exchange is not None:
            try:
                self._exchange.answered(status, headers, connect_ns, now())
            except Exception as error:
                self._broke(error)

    async def chunk(self, chunk: bytes) -> None:
        """Shows a chunk of the response in slices."""
        if self._exchange is None:
            return
        try:
            await in_turns(self._exchange.chunk(chunk, now()))
        except Exception as error:
            self._broke(error)

    def complete(self) -> None:
        if self._exchange is not None:
            try:
                self._exchange.complete(now())
            except Exception as error:
                self._broke(error)

    def look(self, mono_ns: int) -> None:
        """Looks after the calls that are open for long."""
        if self._exchange is not None:
            try:
                self._exchange.look(mono_ns, self._broke)
            except Exception as error:
                self._broke(error)

    def ended(self, how: Ending) -> None:
        if self._exchange is not None:
            try:
                self._exchange.ended(how, now())
            except Exception as error:
                self._broke(error)


async def in_turns(slices: Iterator[None]) -> None:
    """Does work slice by slice, and lets other requests go on in between."""
    turn_ns = time.monotonic_ns() + TURN_NS
    for _ in slices:
        if time.monotonic_ns() > turn_ns:
            await asyncio.sleep(0)
            turn_ns = time.monotonic_ns() + TURN_NS
