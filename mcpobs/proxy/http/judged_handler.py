"""Takes one request through the gate on its way to the server, and what the server answers or asks on its way back.

Only a front that enforces loads this.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from aiohttp import web

from mcpobs.protocol import frames
from mcpobs.protocol.decode import MAX_BYTES
from mcpobs.proxy.http.codings import coding_of
from mcpobs.proxy.http.exchange import Exchange
from mcpobs.proxy.http.handler import RequestHandler, do_nothing
from mcpobs.proxy.http.headers import for_server, headers_of
from mcpobs.proxy.http.judged_reply import JudgedReply
from mcpobs.proxy.http.judging import (
    HEADER_MISMATCH,
    TOO_LARGE,
    Judged,
    UnreadableError,
    is_no_message,
    judged,
    refused,
    without_coding,
)
from mcpobs.proxy.http.mcp_headers import as_in, contradicts
from mcpobs.proxy.http.own_urls import OwnUrls
from mcpobs.proxy.http.reply import Reply
from mcpobs.proxy.http.upstream import UpstreamError, request_head

_OF_ONE_MESSAGE = frozenset(("content-type", "content-encoding", "accept", "last-event-id", "mcp-method", "mcp-name"))
_OF_AN_ANSWER = headers_of((("Content-Type", "application/json"), ("Accept", "application/json, text/event-stream")))


class JudgedRequestHandler(RequestHandler):
    """One request that the server gets only if the gate says so."""

    def _new_reply(self, urls: OwnUrls, exchange: Exchange | None) -> Reply:
        self._exchange = exchange
        self._judged: JudgedReply | None = None
        if exchange is None:
            return super()._new_reply(urls, exchange)
        self._judged = JudgedReply(
            self._request, self._path, self.observation, urls, self._shared.names, exchange, self._send_back
        )
        return self._judged

    async def _read(self) -> bytes | web.StreamResponse | None:
        """Returns the body once it is decided."""
        try:
            return await self._decided()
        except UnreadableError as error:
            return self._closing(self.refuse(error.status, error.why))

    async def _decided(self) -> bytes | web.StreamResponse | None:
        request, exchange, reply = self._request, self._exchange, self._judged
        if exchange is None or reply is None:  # our fault, and nothing can be judged
            return self._closing(self.refuse(500, "the request cannot be judged"))
        if not exchange.claim():
            return self._closing(self.refuse(403, "the session is not the caller's"))
        if not request.can_read_body:
            return None
        raw = await self._body.whole(MAX_BYTES)
        if raw is None:
            return self._closing(await self._answer(refused(exchange, TOO_LARGE, None, 413)))
        body = without_coding(raw, coding_of(request.headers))
        self._body.content = body
        if is_no_message(body, request.headers.get("Content-Type")):
            return raw
        reply.asked = body
        if contradicts(self._headers, body, exchange.copied) and not isinstance(frames.read(body), frames.Fault):
            return await self._answer(refused(exchange, HEADER_MISMATCH, body, 400))
        decided = exchange.follow(body, len(raw)) or await judged(exchange, body, len(raw))
        exchange.decided = decided
        if decided.onward is None:
            return await self._answer(decided)
        reply.beside = decided.answer
        headers = [header for header in self._headers if header.lower != "content-encoding"]
        self._headers = as_in(headers, decided.onward)
        return decided.onward

    async def _answer(self, decided: Judged) -> web.StreamResponse:
        """The response to a request that the server does not get. Over HTTP+SSE an answer belongs on the stream."""
        inject = self._exchange.judged.inject if self._exchange is not None else None
        body, status = decided.answer, decided.status
        if inject is not None and body is not None and status == 200:
            with suppress(ConnectionError):
                await inject(body)
                body, status = None, 202
        self.observation.answered(status, {})
        return web.Response(status=status, body=body, content_type="application/json" if body else None)

    def _send_back(self, message: bytes) -> None:
        """Answers a request of the server in the client's place."""
        task = asyncio.create_task(self._post(message))
        self._shared.tasks.add(task)
        task.add_done_callback(self._shared.tasks.discard)

    async def _post(self, message: bytes) -> None:
        shared = self._shared
        endpoint = self._exchange.remote.endpoint if self._exchange is not None else None
        target = endpoint or (self._target if isinstance(self._target, str) else "/")
        headers = [header for header in self._headers if header.lower not in _OF_ONE_MESSAGE]
        lines = for_server([*headers, *_OF_AN_ANSWER], shared.upstream, self._request.remote)
        head = request_head("POST", shared.upstream.target(target), lines, message, None)
        with suppress(UpstreamError):  # the server waits for its answer as it would for a client that is gone
            (await shared.server.ask("POST", head, message, do_nothing)).release()
