"""Reads along on a body: JSON as a whole, an event stream event by event. Keeps a bounded copy, alters nothing."""

from __future__ import annotations

import zlib
from typing import Protocol

from mcpobs.protocol.sse import Event, Events

MAX_COPY_BYTES = 64 << 20
_INFLATED_AT_ONCE = 1 << 20
CODINGS = ("gzip", "deflate", "identity")
"""Content codings that can be read along; a front asks the server for no other."""


class Inflater(Protocol):
    def feed(self, chunk: bytes) -> bytes: ...


class _Identity:
    def feed(self, chunk: bytes) -> bytes:
        return chunk


class _Zlib:
    """gzip, or deflate with its header. What does not inflate is left out."""

    def __init__(self, coding: str) -> None:
        self._stream = zlib.decompressobj(31 if coding == "gzip" else zlib.MAX_WBITS)
        self._left = MAX_COPY_BYTES

    def feed(self, chunk: bytes) -> bytes:
        parts = []
        while chunk and self._left > 0:
            try:
                part = self._stream.decompress(chunk, min(_INFLATED_AT_ONCE, self._left))
            except zlib.error:
                self._left = 0
                break
            self._left -= len(part)
            parts.append(part)
            chunk = self._stream.unconsumed_tail
            if not part:
                break
        return b"".join(parts)


class _Unread:
    def feed(self, chunk: bytes) -> bytes:
        return b""


def inflater(coding: str | None) -> Inflater:
    """For a Content-Encoding; one that reads nothing where that is none of CODINGS."""
    match (coding or "identity").strip().lower():
        case "identity":
            return _Identity()
        case "gzip" | "x-gzip":
            return _Zlib("gzip")
        case "deflate":
            return _Zlib("deflate")
    return _Unread()


class JsonBody:
    """A body that is one message. `content` is None where there was more of it than a copy may be."""

    def __init__(self, coding: str | None = None) -> None:
        self._inflater = inflater(coding)
        self._parts: list[bytes] = []
        self._bytes = 0

    def feed(self, chunk: bytes) -> None:
        chunk = self._inflater.feed(chunk)
        self._bytes += len(chunk)
        if self._bytes > MAX_COPY_BYTES:
            self._parts.clear()
        else:
            self._parts.append(chunk)

    @property
    def content(self) -> bytes | None:
        if self._bytes > MAX_COPY_BYTES:
            return None
        if len(self._parts) > 1:
            self._parts = [b"".join(self._parts)]
        return self._parts[0] if self._parts else b""


class EventBody:
    """A body that is a stream of events."""

    def __init__(self, coding: str | None = None) -> None:
        self._inflater = inflater(coding)
        self._events = Events()

    def feed(self, chunk: bytes) -> list[Event]:
        return self._events.feed(self._inflater.feed(chunk))
