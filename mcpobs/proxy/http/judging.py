"""What a front that enforces asks of a request's body before the server gets any of it. Fails closed.

A body that may be a message is read strictly and held until the gate has decided it. Bodies of the login that a server
serves beside MCP (OAuth forms and client registrations) are no messages to anybody, and pass.
"""

from __future__ import annotations

import asyncio
import zlib
from contextlib import suppress
from typing import NamedTuple

from mcpobs.gate.frames import Held, Outgoing
from mcpobs.protocol import frames
from mcpobs.protocol.decode import MAX_BYTES, decode, is_too_large
from mcpobs.protocol.frames import INVALID_REQUEST, Fault
from mcpobs.protocol.lifecycle import now
from mcpobs.proxy.http.codings import inflater, is_readable
from mcpobs.proxy.http.context import media_type
from mcpobs.proxy.http.exchange import Exchange

TOO_LARGE = Fault(INVALID_REQUEST, "too_large")
HEADER_MISMATCH = Fault(-32020, "header_mismatch")
_ENVELOPE = frozenset({"jsonrpc", "id", "method", "params", "result", "error"})
_FORM = "application/x-www-form-urlencoded"


class Judged(NamedTuple):
    """What became of a request. `onward` is the body for the server, None if the server gets nothing; `answer` is for
    the client: in the server's place, or beside the server's own answer (a batch of which a part is denied)."""

    onward: bytes | None
    answer: bytes | None = None
    status: int = 200


class UnreadableError(Exception):
    """A body that cannot be read, with the status of its answer."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status
        self.why = why


def without_coding(body: bytes, coding: str | None, max_bytes: int = MAX_BYTES) -> bytes:
    """The body as it is meant. Raises UnreadableError for an unknown coding, a damaged one, and a body of more."""
    if not is_readable(coding):
        raise UnreadableError(415, "the content coding is not supported")
    parts: list[bytes] = []
    left = max_bytes
    try:
        for part in inflater(coding, strict=True).slices(body, 1 << 20):
            left -= len(part)
            if left < 0:
                raise UnreadableError(413, "the body is too large")
            parts.append(part)
    except zlib.error:
        raise UnreadableError(400, "the content coding is damaged") from None
    return b"".join(parts)


def is_no_message(body: bytes, content_type: str | None) -> bool:
    """Whether no reader takes a body for a JSON-RPC message, so that it may pass without being judged."""
    if media_type(content_type) == _FORM and not any(mark in body for mark in b'{["'):
        return True
    if is_too_large(body):
        return False
    message = decode(body)
    if not isinstance(message, dict) or not _ENVELOPE.isdisjoint(key.casefold() for key in message):
        return False
    read = frames.read(body)
    return isinstance(read, Fault) and read.reason == "no_message"


def as_one_line(body: bytes) -> bytes:
    """JSON without carriage returns, which may only be spaces in it; anything else as it is."""
    if b"\r" not in body:
        return body
    plain = body.replace(b"\r", b" ")
    return plain if decode(body) == decode(plain) and not is_too_large(body) else body


async def judged(exchange: Exchange, body: bytes, size: int) -> Judged:
    """Takes a request's body through the gate; `size` is that of the body as it was sent."""
    held = exchange.hold_request(as_one_line(body), size)
    is_refused = held.outgoing is not None  # it cannot be read in exactly one way
    outgoing = await released(held)
    if outgoing.onward is not None:
        return Judged(exchange.onward(outgoing.onward), outgoing.back)
    if outgoing.back is None:  # a notification that is dropped
        return Judged(None, None, 202)
    if is_refused:
        return Judged(None, outgoing.back, 413 if is_too_large(body) else 400)
    return Judged(None, outgoing.back)


def refused(exchange: Exchange, fault: Fault, body: bytes | None, status: int) -> Judged:
    """The answer to a request that was refused without asking the gate; `body` None if it was not read."""
    exchange.refuse("client", fault, now())
    error = {"code": fault.code, "message": fault.message}
    return Judged(None, frames.response(frames.sole_id(body or b""), error=error), status)


async def released(held: Held) -> Outgoing:
    """Waits until a frame is decided, without holding up the loop; the gate has it decided by its deadline."""
    if held.ready:
        return held.release()
    loop = asyncio.get_running_loop()
    woken = asyncio.Event()

    def wake() -> None:  # in any thread
        with suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(woken.set)

    held.when_ready(wake)
    try:
        while not held.ready:
            await woken.wait()
            woken.clear()
    except asyncio.CancelledError:
        _release_later(held, loop)
        raise
    return held.release()


def _release_later(held: Held, loop: asyncio.AbstractEventLoop) -> None:
    """Nobody waits for the frame any more; its calls are ended once it is decided, and nothing is passed on."""
    is_released = False

    def release() -> None:
        nonlocal is_released
        if held.ready and not is_released:
            is_released = True
            held.release()

    def wake() -> None:
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(release)

    held.when_ready(wake)
