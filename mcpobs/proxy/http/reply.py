"""Passes the server's answer to one request back to the client: whole if it is small, else as it comes."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Literal

import aiohttp
from aiohttp import web
from multidict import CIMultiDict

from mcpobs.protocol.sse import EventSplitter, Piece, with_data
from mcpobs.proxy.http.codings import is_readable
from mcpobs.proxy.http.context import EVENTS
from mcpobs.proxy.http.headers import for_client
from mcpobs.proxy.http.observation import Observation
from mcpobs.proxy.http.own_urls import OwnUrls
from mcpobs.proxy.http.request_body import WHOLE_BYTES
from mcpobs.proxy.http.rewriting import Edit, Rewriter, Splitter, WholeBody
from mcpobs.proxy.http.server_names import ServerNames
from mcpobs.proxy.http.upstream import Answer

MAX_ENDPOINT_BYTES = 16 << 10  # of an event that names an endpoint
BROKEN_OFF = (aiohttp.ClientPayloadError, aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, zlib.error)
WITHOUT_BODY = (204, 304)
OF_THE_BYTES = ("Content-Length", "Content-Encoding", "Content-MD5", "Digest", "Content-Digest", "Repr-Digest")

Ended = Literal["complete", "server_disconnect"]
Refuse = Callable[[int, str], web.StreamResponse]


class Reply:
    """The answer to one request. `stream` is the response to the client once its head was sent."""

    def __init__(
        self, request: web.BaseRequest, target: str, observation: Observation, urls: OwnUrls, names: ServerNames
    ) -> None:
        self._request = request
        self._path = target.partition("?")[0]
        self._observation = observation
        self._urls = urls
        self._names = names
        self.stream: web.StreamResponse | None = None
        self.ending: Ended = "complete"

    @property
    def may_be_rewritten(self) -> bool:
        """Whether the answer may have a body that names the server by a URL."""
        if self._request.method != "GET":
            return False
        return EVENTS in self._request.headers.get("Accept", "") or self._names.is_metadata(self._path)

    async def pass_back(self, answer: Answer, refuse: Refuse) -> web.StreamResponse:
        """Passes the answer on; `refuse` makes the response if the server breaks off before any of it was sent."""
        rewriting = self._rewriting(answer)
        headers = self._begin(answer, rewriting is not None)
        if rewriting is not None:
            return await self._pass_rewritten(answer, headers, *rewriting)
        if self._request.method == "HEAD" or answer.status in WITHOUT_BODY:
            return plain(answer, headers, b"")
        if answer.content_length is not None and answer.content_length <= WHOLE_BYTES:
            return await self._pass_whole(answer, headers, refuse)
        return await self._pass_stream(answer, headers)

    def _begin(self, answer: Answer, is_rewritten: bool) -> CIMultiDict[str]:
        """Takes the head of the answer, and returns the headers for the client. A body that is rewritten is shown to
        the observation without its coding."""
        head = {name.lower(): value for name, value in answer.headers.items()}
        if is_rewritten:
            head.pop("content-encoding", None)
        elif "content-encoding" in head:
            head["content-encoding"] = answer.coding or ""
        self._observation.answered(answer.status, head, answer.connect_ns)
        self._names.reached(answer.peer)
        self._look_at_redirect(answer)
        if "Trailer" in answer.headers:
            self._names.leaves_out_trailers()
        return CIMultiDict([(name, value) for name, _, value in for_client(answer.headers.items(), self._urls)])

    async def _show(self, chunk: bytes) -> None:
        """Takes a part of a body that is rewritten, without its coding."""
        await self._observation.chunk(chunk)

    async def _pass_whole(self, answer: Answer, headers: CIMultiDict[str], refuse: Refuse) -> web.StreamResponse:
        try:
            body = await answer.content.read()
        except (aiohttp.ClientError, OSError):
            self.ending = "server_disconnect"
            return refuse(502, "the server broke off its answer")
        await self._observation.chunk(body)
        self._observation.complete()
        return plain(answer, headers, body)

    async def _pass_stream(self, answer: Answer, headers: CIMultiDict[str]) -> web.StreamResponse:
        response = await self._begun(answer, headers)
        try:
            async for chunk in answer.content.iter_any():
                await self._observation.chunk(chunk)
                await response.write(chunk)
        except BROKEN_OFF:
            return self._broken_off(response)
        self._observation.complete()
        await response.write_eof()
        return response

    async def _pass_rewritten(
        self, answer: Answer, headers: CIMultiDict[str], splitter: Splitter, edit: Edit
    ) -> web.StreamResponse:
        for name in OF_THE_BYTES:
            headers.popall(name, None)
        response = await self._begun(answer, headers)
        body = Rewriter(splitter, answer.coding, edit, show=self._show, write=response.write)
        try:
            async for chunk in answer.content.iter_any():
                await body.feed(chunk)
        except BROKEN_OFF:
            return self._broken_off(response)
        self._observation.complete()
        await body.end()
        await response.write_eof()
        return response

    async def _begun(self, answer: Answer, headers: CIMultiDict[str]) -> web.StreamResponse:
        response = web.StreamResponse(status=answer.status, reason=answer.reason, headers=headers)
        if "Content-Length" not in headers and self._request.version >= aiohttp.HttpVersion11:
            response.enable_chunked_encoding()
        await response.prepare(self._request)
        self.stream = response
        return response

    def _broken_off(self, response: web.StreamResponse) -> web.StreamResponse:
        self.ending = "server_disconnect"
        if self._request.transport is not None:  # the client has to see that there was to be more
            self._request.transport.abort()
        return response

    # -- URLs of the server -----------------------------------------------------------------------------

    def _rewriting(self, answer: Answer) -> tuple[Splitter, Edit] | None:
        """How to rewrite a body that may name the server by a URL; None for one that passes as it is."""
        challenge = answer.headers.get("WWW-Authenticate")
        if challenge is not None:
            self._names.add_metadata(self._urls.metadata_paths(challenge))
        if self._request.method != "GET":
            return None
        if not is_readable(answer.coding):
            if answer.is_events:  # this proxy asks for none
                self._names.cannot_read("the server codes an event stream")
            return None
        if answer.is_events:
            return EventSplitter(MAX_ENDPOINT_BYTES), self._endpoint
        if answer.status == 200 and self._names.is_metadata(self._path):
            return WholeBody(WHOLE_BYTES), self._metadata
        return None

    def _endpoint(self, piece: Piece) -> bytes:
        """HTTP+SSE: a server may name the endpoint for its stream by a whole URL."""
        if piece.excess and b"endpoint" in piece.raw:
            self._names.cannot_read(f"an event that may name an endpoint exceeds {MAX_ENDPOINT_BYTES >> 10} KiB")
        if piece.event is None or piece.event.name != "endpoint":
            return piece.raw
        theirs = piece.event.data.decode("utf-8", "surrogateescape")
        if self._urls.is_foreign(theirs):
            self._names.leads_past("an event stream names an endpoint", theirs)
        ours = self._urls.own(theirs)
        return piece.raw if ours == theirs else with_data(piece.raw, ours.encode("utf-8", "surrogateescape"))

    def _metadata(self, piece: Piece) -> bytes:
        """OAuth protected resource metadata."""
        return piece.raw if piece.event is None else self._urls.metadata(piece.raw)

    def _look_at_redirect(self, answer: Answer) -> None:
        """Warns of a redirect that makes the client repeat its call elsewhere."""
        url = answer.headers.get("Location")
        if answer.status in (307, 308) and self._request.method == "POST" and url and self._urls.is_foreign(url):
            self._names.leads_past("the server redirects calls", url)


def plain(answer: Answer, headers: CIMultiDict[str], body: bytes) -> web.Response:
    if "Content-Type" not in headers and body == b"":
        headers.popall("Content-Length", None)
    return web.Response(status=answer.status, reason=answer.reason, headers=headers, body=body or None)
