"""Reads the body of a client's request within its deadlines: whole if it is small, else part by part."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from aiohttp import web

from mcpobs.protocol.cut import Cut
from mcpobs.proxy.http.bodies import Copies, Copy, JsonBody
from mcpobs.proxy.http.codings import coding_of
from mcpobs.proxy.http.connections import Deadlines
from mcpobs.proxy.http.observation import Observation, in_turns

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
        self._coding: str | None = None
        self.content: bytes | None = None
        self.is_late = False
        """Whether the client sent it too slowly."""

    async def read(self) -> bytes | AsyncIterator[bytes] | None:
        """The body to pass on, None if there is none. Raises TimeoutError for a client that is too slow."""
        request = self._request
        if not request.can_read_body:
            return None
        self._coding = coding_of(request.headers)
        if (request.content_length or WHOLE_BYTES) >= WHOLE_BYTES:
            return self._large()
        if request.content.is_eof():  # most bodies are there with their head
            body = await request.read()
        else:
            body = b"".join([part async for part in self.parts()])
        if self._coding is None:
            return self._observed(body, len(body)) or body
        copy = JsonBody(self._coding, self._copies)
        await in_turns(copy.feed(body))
        self._observed(copy.content, len(body))
        copy.close()
        return body

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
        size = 0
        observed = False
        copy = JsonBody(self._coding, self._copies)
        try:
            async for part in self.parts():
                size += len(part)
                await in_turns(copy.feed(part))
                if size == self._request.content_length:
                    observed = True
                    self._observed(copy.content, size)
                yield part
            if not observed:  # chunked: the end is what the server is still waiting for
                self._observed(copy.content, size)
        finally:
            copy.close()

    def _observed(self, body: bytes | Cut, size: int) -> bytes | None:
        if isinstance(body, bytes) and len(body) < WHOLE_BYTES:
            self.content = body
        return self._observation.body_of_request(body, size)
