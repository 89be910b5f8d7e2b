"""Takes one request from its client to the server, and the response back."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web

from mcpobs import listening
from mcpobs.listening import Endpoint
from mcpobs.protocol.refusal import refusal
from mcpobs.proxy.http.bodies import Copies
from mcpobs.proxy.http.connections import Deadlines
from mcpobs.proxy.http.context import EVENTS, SESSION_HEADER, Ending
from mcpobs.proxy.http.exchange import Exchange
from mcpobs.proxy.http.headers import Header, for_server
from mcpobs.proxy.http.observation import Observation
from mcpobs.proxy.http.ordering import MAX_STREAM_WAIT_S, SessionOrder
from mcpobs.proxy.http.outage import Outage
from mcpobs.proxy.http.own_urls import OwnUrls
from mcpobs.proxy.http.reply import Reply
from mcpobs.proxy.http.request_body import RequestBody
from mcpobs.proxy.http.server_names import ServerNames
from mcpobs.proxy.http.targets import ALLOWED, TargetError, Upstream
from mcpobs.proxy.http.upstream import Answer, Body, UpstreamConnections, UpstreamError, request_head

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Shared:
    """What all requests of a front use."""

    listen: Endpoint
    is_loopback: bool
    upstream: Upstream
    server: UpstreamConnections
    deadlines: Deadlines
    copies: Copies
    order: SessionOrder
    names: ServerNames
    outage: Outage
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    """Answers of the gate to requests of the server, on their way."""


class RequestHandler:
    """One request. `ending` says how its exchange ended."""

    def __init__(
        self,
        shared: Shared,
        request: web.BaseRequest,
        headers: list[Header],
        target: str | TargetError,
        exchange: Exchange | None,
        observation: Observation,
    ) -> None:
        self._shared = shared
        self._request = request
        self._headers = headers
        self._target = target
        self.observation = observation
        self._body = RequestBody(request, shared.deadlines, shared.copies, observation)
        urls = OwnUrls(shared.upstream, f"{request.scheme}://{request.host}", shared.names.addresses)
        self._reply = self._new_reply(urls, exchange)
        self.ending: Ending = "complete"
        self.is_stopped = False
        """Whether the front is being stopped and cuts this request short."""

    @property
    def has_begun(self) -> bool:
        """Whether the head of a response was sent."""
        return self._reply.stream is not None

    @property
    def is_at_work(self) -> bool:
        """Whether somebody waits for an answer; on a standing stream only if calls are open."""
        accepted = self._request.headers.get("Accept", "")
        if self._request.method != "GET" or EVENTS not in accepted:
            return True
        return self.observation.is_awaited

    async def run(self) -> web.StreamResponse:
        """Returns the response, of which a streamed one was sent already."""
        request, shared = self._request, self._shared
        if shared.is_loopback and not listening.is_own_name(request.headers.get("Host", ""), shared.listen.host):
            return self.refuse(421, "the Host header does not name this proxy")
        target = self._target
        if isinstance(target, TargetError):
            return self._refuse_target(target)
        if target == "*":
            return self._about_proxy()
        unsupported = self._unsupported()
        if unsupported is not None:
            return self._closing(self.refuse(501, unsupported))
        if request.headers.get("Expect", "").lower() == "100-continue" and request.transport is not None:
            request.transport.write(_CONTINUE)
        peer = request.remote
        body: Body
        try:
            read = await self._read()
            if isinstance(read, web.StreamResponse):
                return read
            body = read
        except (aiohttp.ClientPayloadError, web.RequestPayloadError):
            return self.refuse(400, "the body of the request is broken")
        except TimeoutError:
            return self._refuse_late()
        lines = for_server(self._headers, shared.upstream, peer, self._reply.may_be_rewritten)
        head = request_head(request.method, shared.upstream.target(target), lines, body, request.content_length)
        try:
            return await self._pass_on(head, body)
        except UpstreamError as error:
            if error.is_answer:
                return self.refuse(502, error.why)
            self.ending = "unreachable"
            shared.outage.failed(error.kind)
            return self.refuse(502, error.why)
        except (aiohttp.ClientPayloadError, web.RequestPayloadError):
            return self.refuse(400, "the body of the request is broken")
        except TimeoutError:
            return self._refuse_late()

    def _unsupported(self) -> str | None:
        """Why the request cannot be passed on as the client means it; None if it can."""
        headers = self._request.headers
        if "websocket" in headers.get("Upgrade", "").lower():
            return "this proxy passes on no WebSocket; connect to the server itself"
        if "Trailer" in headers:
            return "this proxy passes on no trailers; send them as headers"
        return None

    def _new_reply(self, urls: OwnUrls, exchange: Exchange | None) -> Reply:
        return Reply(self._request, self._path, self.observation, urls, self._shared.names)

    @property
    def _path(self) -> str:
        return self._target if isinstance(self._target, str) else ""

    async def _read(self) -> Body | web.StreamResponse:
        """Returns the body for the server, or the response in the server's place."""
        return await self._body.read()

    async def _pass_on(self, head: bytes, body: Body) -> web.StreamResponse:
        """A GET opens the stream on which the server asks what a later call makes it ask: it has to be there first.
        Every other request may be answered late, and the next one goes once it was sent."""
        request, shared = self._request, self._shared
        session = request.headers.get(SESSION_HEADER)
        if session is None:
            answer = await shared.server.ask(request.method, head, body, do_nothing)
            return await self._pass_back(answer)
        opens_stream = request.method == "GET"
        async with shared.order.enter(session, MAX_STREAM_WAIT_S if opens_stream else None) as over:
            answer = await shared.server.ask(request.method, head, body, do_nothing if opens_stream else over)
            if opens_stream:
                over()
            return await self._pass_back(answer)

    async def _pass_back(self, answer: Answer) -> web.StreamResponse:
        self._shared.outage.answered()
        try:
            return await self._reply.pass_back(answer, self.refuse)
        finally:
            if self._reply.ending != "complete":
                self.ending = self._reply.ending
            answer.release()

    # -- answers in the server's place ------------------------------------------------------------------

    async def cut_short(self) -> web.StreamResponse:
        """Ends the response of a request that the front cannot wait for: a stream of events may stop after any, an
        answer that has begun must not look whole."""
        stream = self._reply.stream
        if stream is None:
            return self._closing(self.refuse(503, "the proxy is being stopped"))
        if stream.headers.get("Content-Type", "").startswith(EVENTS):
            await stream.write_eof()
        elif self._request.transport is not None:
            self._request.transport.abort()
        return stream

    def failed(self) -> web.StreamResponse:
        """The end of a request that neither the server nor this proxy can answer."""
        if self.has_begun:
            raise asyncio.CancelledError  # the connection is all that can be closed
        target = self._target
        if isinstance(target, TargetError):
            return self._closing(self.refuse(target.status, target.why))
        return self._closing(self.refuse(400, "the request cannot be passed on"))

    def refuse(self, status: int, why: str) -> web.StreamResponse:
        """A JSON-RPC error, as a client of MCP can read it. It has the request's id if all of the body was read; a
        large one is not kept for that."""
        if self._reply.ending == "complete":
            self.observation.answered(status, {})
        code = -32603 if status >= 500 else -32600
        body = refusal(self._body.content, code, f"mcpobs: {why}")
        return web.Response(status=status, body=body, content_type="application/json")

    def _refuse_target(self, error: TargetError) -> web.StreamResponse:
        refused = self.refuse(error.status, error.why)
        if error.status == 405:
            refused.headers["Allow"] = ALLOWED
        return refused

    def _refuse_late(self) -> web.StreamResponse:
        self.ending = "client_disconnect"
        return self._closing(self.refuse(408, "the body of the request came too slowly"))

    def _about_proxy(self) -> web.StreamResponse:
        """`OPTIONS *` asks about the server as a whole, not about a path of it."""
        self.observation.answered(204, {})
        return web.Response(status=204, headers={"Allow": ALLOWED})

    @staticmethod
    def _closing(response: web.StreamResponse) -> web.StreamResponse:
        response.force_close()
        return response


def do_nothing() -> None:
    pass
