"""Rewrites a body message by message, however its bytes were cut: JSON as a whole, an event stream event by event.

Bytes that an edit leaves alone are written as they came. Without a content coding; one that the body has is removed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from mcpobs.protocol.sse import Event, Piece
from mcpobs.proxy.http.codings import inflater

SLICE_BYTES = 1 << 20

Edit = Callable[[Piece], bytes | Awaitable[bytes]]
"""Returns the bytes to write in the place of a piece: its own, others, none, or more messages with it."""
Take = Callable[[bytes], Awaitable[None]]


class Splitter(Protocol):
    """Cuts a body into pieces, which joined are the body."""

    def feed(self, chunk: bytes) -> list[Piece]: ...

    def rest(self) -> bytes:
        """The bytes that are left at the end of the body."""


class WholeBody:
    """A body that is one message, given out as the rest. One of more than `max_bytes` is given out as it comes."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._parts: list[bytes] = []
        self._bytes = 0
        self._excess = False

    def feed(self, chunk: bytes) -> list[Piece]:
        if self._excess:
            return [Piece(chunk, None, "goes on")]
        self._parts.append(chunk)
        self._bytes += len(chunk)
        if self._bytes <= self._max_bytes:
            return []
        self._excess = True
        return [Piece(self.rest(), None, "begins")]

    def rest(self) -> bytes:
        rest, self._parts = b"".join(self._parts), []
        return rest


class Rewriter:
    """Writes what an edit makes of each piece of a body. One object a body.

    `show` takes the body without its coding, part by part, before any of it is written."""

    def __init__(self, splitter: Splitter, coding: str | None, edit: Edit, *, show: Take, write: Take) -> None:
        self._splitter = splitter
        self._inflater = inflater(coding, strict=True)
        self._edit = edit
        self._show = show
        self._write = write
        self._written: list[bytes] = []  # not yet passed to `write`

    async def feed(self, chunk: bytes) -> None:
        """Takes a part of the body. Raises zlib.error if its coding is damaged."""
        for plain in self._inflater.slices(chunk, SLICE_BYTES):
            await self._show(plain)
            for piece in self._splitter.feed(plain):
                await self._take(piece)
            await self._flush()

    async def end(self) -> None:
        """Takes the end of the body. What is left is a message if the whole body is one."""
        rest = self._splitter.rest()
        if rest:
            is_message = isinstance(self._splitter, WholeBody)
            event = Event("message", rest, None) if is_message else None
            await self._take(Piece(rest, event, cut_off=not is_message))
        await self._flush()

    async def _take(self, piece: Piece) -> None:
        edited = self._edit(piece)
        if not isinstance(edited, bytes):
            await self._flush()  # an edit that waits holds up no message before its own
            edited = await edited
        self._written.append(edited)

    async def _flush(self) -> None:
        written = b"".join(self._written)
        self._written.clear()
        if written:
            await self._write(written)
