"""Reads the body of a client's request within its deadlines: whole if it is small, else part by part."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from aiohttp import web

from mcpobs.proxy.http.bodies import Copies, Copy
from mcpobs.proxy.http.connections import Deadlines
from mcpobs.proxy.http.observation import Observation

WHOLE_BYTES = 1 << 20  # a body below this is passed on in one piece: more aiohttp would refuse to read so


class RequestBody:
    """The body of one request. `content` is all of it once it was read, unless it was passed on in parts."""

    def __init__(
        self, request: web.BaseRequest, deadlines: Deadlines, copies: Copies, observation: Observation
    ) -> None:
        self._request = request
        self._deadlines = deadlines
        self._copies = copies
        self._observation = observation
        self.content: bytes | None = None
        self.is_late = False
        """Whether the client sent it too slowly."""

    async def read(self) -> bytes | AsyncIterator[bytes] | None:
        """The body to pass on, None if there is none. Raises TimeoutError for a client that is too slow."""
        request = self._request
        if not request.can_read_body:
            return None
        if (request.content_length or WHOLE_BYTES) >= WHOLE_BYTES:
            return self._large()
        if request.content.is_eof():  # most bodies are there with their head
            body = await request.read()
        else:
            body = b"".join([part async for part in self.parts()])
        return self._observed(body, len(body)) or body

    async def whole(self, max_bytes: int) -> bytes | None:
        """All of the body; None if it has more than `max_bytes`, and if there is no room for it beside others."""
        copy = Copy(self._copies)
        parts: list[bytes] = []
        size = self._request.content_length or 0
        try:
            if size > max_bytes:
                return None
            size = 0
            async for part in self.parts():
                size += len(part)
                if size > max_bytes or not copy.hold(size):
                    return None
                parts.append(part)
        finally:
            copy.hold(0)
        return b"".join(parts)

    async def parts(self) -> AsyncIterator[bytes]:
        """The parts of the body. Raises TimeoutError for a client that sends them too slowly; the time in which the
        server does not take them does not count."""
        loop, limits = asyncio.get_running_loop(), self._deadlines
        left_s = limits.body_s
        content = self._request.content
        while True:
            began_s = loop.time()
            try:
                async with asyncio.timeout(left_s):
                    part = await content.readany()
            except TimeoutError:
                self.is_late = True
                raise
            if not part:
                return
            left_s = min(limits.body_s, left_s - (loop.time() - began_s) + len(part) / limits.body_bytes_per_s)
            yield part

    async def _large(self) -> AsyncIterator[bytes]:
        """Shows the whole body to the observation before the server has the last part."""
        parts: list[bytes] = []
        size = 0
        observed = False
        is_whole = True
        copy = Copy(self._copies)
        try:
            async for part in self.parts():
                size += len(part)
                if is_whole and copy.hold(size):
                    parts.append(part)
                else:
                    parts.clear()
                    is_whole = False
                if size == self._request.content_length:
                    observed = True
                    self._observed(b"".join(parts) if is_whole else None, size)
                yield part
            if not observed:  # chunked: the end is what the server is still waiting for
                self._observed(b"".join(parts) if is_whole else None, size)
        finally:
            copy.hold(0)

    def _observed(self, body: bytes | None, size: int) -> bytes | None:
        if size < WHOLE_BYTES:
            self.content = body
        return self._observation.body_of_request(body, size)
