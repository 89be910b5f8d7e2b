"""Reads and unpacks a request's body as it arrives, within its limits."""

from __future__ import annotations

from aiohttp import StreamReader, web

from mcpobs.collector.inflate import Inflater, Packing, TooLargeError
from mcpobs.collector.limits import Place


class GoneError(Exception):
    """The client disconnected, or its connection was closed."""


async def read(content: StreamReader, packing: Packing | None, limit_bytes: int, place: Place) -> bytes:
    """Returns the whole body. Raises before more than the limit is held: TooLargeError, RefusedError, GoneError."""
    inflater = Inflater(packing, limit_bytes) if packing else None
    chunks: list[bytes] = []
    wire_bytes = 0
    while chunk := await _next(content):
        wire_bytes += len(chunk)
        if wire_bytes > limit_bytes:
            raise TooLargeError(f"the body is longer than {limit_bytes} bytes")
        if inflater is not None:
            chunk = inflater.feed(chunk)
        place.hold(len(chunk))
        chunks.append(chunk)
    if inflater is not None:
        inflater.end()
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


async def _next(content: StreamReader) -> bytes:
    """Returns the bytes that have arrived; none at the end. Raises a new error, because aiohttp keeps its own error and
    with it the frames of its traceback."""
    try:
        return await content.readany()
    except (GoneError, ConnectionError, web.RequestPayloadError, RuntimeError):  # the last one: closed before
        raise GoneError from None
