"""Runs the HTTP front: listens, passes requests on to the server and responses back, and ends on a signal.

Bodies pass as they come and slow readers slow their writers down: nothing is held back but what is read along.
"""

from __future__ import annotations

import asyncio
import gc
import resource
import signal
import socket
import ssl
import time
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from types import SimpleNamespace

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from mcpobs import listening
from mcpobs.listening import Endpoint
from mcpobs.masking import masked_path
from mcpobs.protocol.operation import Stamp
from mcpobs.protocol.refusal import refusal
from mcpobs.protocol.sse import Endpoints
from mcpobs.protocol.text import bounded
from mcpobs.proxy.http.bodies import Copy, inflater, is_readable
from mcpobs.proxy.http.connections import Connection, Connections, Deadlines, Server
from mcpobs.proxy.http.exchange import SESSION_HEADER, Ending, Exchange, ExchangeContext, Request
from mcpobs.proxy.http.identity import Verify
from mcpobs.proxy.http.logs import OncePerKind, replace_logs
from mcpobs.proxy.http.ordering import MAX_STREAM_WAIT_S, SessionOrder
from mcpobs.proxy.http.own_urls import (
    ALLOWED,
    OwnUrls,
    TargetError,
    Upstream,
    for_client,
    for_server,
    origin_form,
    place_of,
    same_place,
)

CONNECT_TIMEOUT_S = 10.0
KEEP_ALIVE_S = 4.0  # below the 5 s of uvicorn and Node: a connection that the server is closing is not used again
READ_BYTES = 1 << 16
WHOLE_BYTES = 1 << 20  # a body below this is passed on in one piece: more aiohttp would refuse to read so
GRACE_S = 5.0  # what is under way when the front is stopped may take
LINGER_S = 5.0  # for a client to end sending a body that is not wanted
LAST_S = 1.0  # and a client, to read how it ended
_LOOK_S = 0.02
MAX_KNOWN = 64  # addresses of the server, and paths of its metadata
_METADATA_PATH = "/.well-known/oauth-protected-resource"
_NO_BODY = (204, 304)
_BROKEN_OFF = (aiohttp.ClientPayloadError, aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, zlib.error)
_STOPPING = (signal.SIGTERM, signal.SIGINT)
_OPEN_FILES = 1 << 20

Warn = Callable[[str], None]


def now() -> Stamp:
    return Stamp(time.time_ns(), time.monotonic_ns())


@dataclass(frozen=True, slots=True)
class FrontOptions:
    """Where the front listens, what it stands in front of, and who vouches for callers."""

    listen: Endpoint
    upstream: Upstream
    verify: Verify
    tls: ssl.SSLContext | None = None  # towards the server
    deadlines: Deadlines = field(default_factory=Deadlines)


async def serve(options: FrontOptions, context: ExchangeContext, warn: Warn) -> None:
    """Passes requests on until SIGTERM or SIGINT. Raises UsageError where it cannot listen."""
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in _STOPPING:
        loop.add_signal_handler(number, stopped.set)
    front = Front(options, context, warn)
    replace_logs(front.once)
    sockets = listening.bind(options.listen, "--listen")
    try:
        at = Endpoint(options.listen.host, sockets[0].getsockname()[1])
        await front.start(sockets)
        warn(f"passing http://{at} on to {options.upstream.origin}{masked_path(options.upstream.path)}")
        if not all(map(listening.is_loopback, sockets)):
            warn(f"warning: other machines can reach http://{at}, without encryption")
        gc.freeze()  # what is loaded by now stays: the collector need not look through it
        await stopped.wait()
    finally:
        await front.stop()
        for number in _STOPPING:
            loop.remove_signal_handler(number)


class Front:
    """The proxy between the sockets and one server."""

    def __init__(self, options: FrontOptions, context: ExchangeContext, warn: Warn) -> None:
        self._options = options
        self._context = context
        self._warn = warn
        self._warned_of: set[str] = set()
        self.once = OncePerKind(warn)
        self.addresses: set[str] = set()  # at which the server was reached
        self.metadata_paths: set[str] = set()
        self.connections = Connections(options.deadlines, self.once)
        self._under_way: dict[RequestHandler, asyncio.Task[object]] = {}
        self._runner: web.ServerRunner | None = None
        self._client: aiohttp.ClientSession | None = None
        self._loopback = False
        self.order = SessionOrder()

    async def start(self, sockets: list[socket.socket]) -> None:
        _allow_open_files()
        self._loopback = all(map(listening.is_loopback, sockets))
        connector = aiohttp.TCPConnector(
            limit=0, keepalive_timeout=KEEP_ALIVE_S, ssl=self._options.tls if self._options.tls else True
        )
        trace = aiohttp.TraceConfig()
        trace.on_connection_create_start.append(_connecting)
        trace.on_connection_create_end.append(_connected)
        trace.on_request_headers_sent.append(_sent)
        self._client = aiohttp.ClientSession(
            connector=connector,
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S),
            read_bufsize=READ_BYTES,
            trace_configs=[trace],
            max_line_size=1 << 16,
            max_field_size=1 << 16,
        )
        server = Server(
            self._handle,
            self.connections,
            self._failed,
            {
                "auto_decompress": False,
                "access_log": None,
                "keepalive_timeout": 2 * self._options.deadlines.idle_s,  # `connections` closes idle ones earlier
                "lingering_time": LINGER_S,
                "max_line_size": 1 << 16,
                "max_field_size": 1 << 16,
            },
        )
        self._runner = _Runner(server, self._let_end)
        await self._runner.setup()
        for bound in sockets:
            await web.SockSite(self._runner, bound, backlog=listening.BACKLOG).start()

    async def stop(self) -> None:
        """Accepts no more, lets requests end for GRACE_S, and tells the clients of those that are left."""
        if self._runner is not None:
            await self._runner.cleanup()
        for handler in list(self._under_way):
            self._ended(handler, "shutdown")
        if self._client is not None:
            await self._client.close()

    async def _let_end(self) -> None:
        loop = asyncio.get_running_loop()
        until_s = loop.time() + GRACE_S
        while loop.time() < until_s and any(handler.is_at_work for handler in self._under_way):
            await asyncio.sleep(_LOOK_S)
        left = dict(self._under_way)
        for handler, task in left.items():
            handler.is_stopped = True
            task.cancel()
        if left:
            await asyncio.wait(left.values(), timeout=LAST_S)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        connection = request.protocol
        assert isinstance(connection, Connection)
        connection.works()
        try:
            return await self._passed_on(request)
        finally:
            connection.rests()

    async def _passed_on(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            target: str | TargetError = origin_form(request.method, request.raw_path, self._names_us(request))
        except TargetError as error:
            target = error
        headers = {name.lower(): value for name, value in request.headers.items()}
        await self._options.verify.ready(headers)
        exchange = self._open(request, request.method, target if isinstance(target, str) else "")
        handler = RequestHandler(self, request, exchange, target)
        task = asyncio.current_task()
        assert task is not None
        self._under_way[handler] = task
        ending: Ending = "client_disconnect"  # what a cancellation means
        try:
            response = await self._passed(handler, task)
            ending = handler.ending
            return response
        except ConnectionError:  # the client's: the server's are dealt with below
            raise asyncio.CancelledError from None
        except Exception as error:  # ours, or of a library: a message that cannot be written, for example
            self.broke(error)
            ending = handler.ending
            return handler.failed()
        finally:
            del self._under_way[handler]
            self._ended(handler, "shutdown" if handler.is_stopped else ending)

    async def _passed(self, handler: RequestHandler, task: asyncio.Task[object]) -> web.StreamResponse:
        try:
            return await handler.run()
        except asyncio.CancelledError:
            if not handler.is_stopped:
                raise
            task.uncancel()
            return await handler.cut_short()

    def _ended(self, handler: RequestHandler, how: Ending) -> None:
        if handler.exchange is not None:
            self._safely(handler.exchange.ended, how, now())

    def _failed(self, request: web.BaseRequest, status: int) -> web.StreamResponse:
        """Records and answers a request whose head could not be parsed."""
        exchange = self._open(request, "_OTHER", "")
        handler = RequestHandler(self, request, exchange, TargetError(status, "the request is not valid HTTP"))
        response = handler.failed()
        self._ended(handler, "complete")
        return response

    def _names_us(self, request: web.BaseRequest) -> Callable[[str], bool]:
        """Whether the authority of an absolute request target is this proxy, or the server behind it."""

        def names_us(authority: str) -> bool:
            upstream = self._options.upstream
            if same_place(f"{upstream.scheme}://{authority}", upstream.origin):
                return True
            if not self._loopback:
                return same_place(f"http://{authority}", f"http://{request.host}")
            own = request.transport.get_extra_info("sockname") if request.transport is not None else None
            named = place_of(f"http://{authority}")
            is_our_port = own is not None and named is not None and named.port == own[1]
            return is_our_port and listening.is_own_name(authority, self._options.listen.host)

        return names_us

    def _open(self, request: web.BaseRequest, method: str, target: str) -> Exchange | None:
        peer = request.transport.get_extra_info("peername") if request.transport is not None else None
        try:
            headers = {name.lower(): value for name, value in request.headers.items()}
            head = Request(
                method=method,
                target=target,
                headers=headers,
                version=f"{request.version.major}.{request.version.minor}",
                peer=str(peer[0]) if peer else None,
                connection=f"{peer[0]}:{peer[1]}" if peer else "?",
                began=now(),
            )
            identity = self._options.verify(headers)
            return Exchange(self._context, head, identity, self._options.verify.unverified)
        except Exception as error:  # observation fails open
            self.broke(error)
            return None

    def _safely(self, call: Callable[..., object], *arguments: object) -> object:
        try:
            return call(*arguments)
        except Exception as error:
            self.broke(error)
            return None

    def reached(self, answer: aiohttp.ClientResponse, connect: _Connect) -> None:
        """Keeps the address at which the server was reached: it may name itself by that."""
        if connect.took_ns is None or answer.connection is None or answer.connection.transport is None:
            return
        peer = answer.connection.transport.get_extra_info("peername")
        if peer and len(self.addresses) < MAX_KNOWN:
            self.addresses.add(str(peer[0]))

    def learn_metadata(self, paths: list[str]) -> None:
        """Keeps the paths at which the server says that its metadata lies."""
        if len(self.metadata_paths) < MAX_KNOWN:
            self.metadata_paths.update(paths)

    def leads_past(self, what: str, url: str) -> None:
        place = place_of("http:" + url.strip().partition(":")[2] if "://" in url else f"http:{url.strip()}")
        host = bounded(place.host, 128) if place is not None and place.host.isprintable() else "?"
        self.once(
            f"past {what}",
            f"warning: {what} at another host ({host}): those calls are not recorded\n"
            "hint: name the server in --upstream as it names itself",
        )

    def broke(self, error: Exception) -> None:
        """Reports a fault of ours once for each line of code. The message may quote content, so it is left out."""
        frame = error.__traceback__
        while frame is not None and frame.tb_next is not None:
            frame = frame.tb_next
        where = f"{frame.tb_frame.f_code.co_filename}:{frame.tb_lineno}" if frame else "?"
        if where not in self._warned_of:
            self._warned_of.add(where)
            self._warn(f"a request could not be observed ({type(error).__name__} at {where}); it goes on")


class RequestHandler:
    """One request on its way through."""

    def __init__(
        self, front: Front, request: web.BaseRequest, exchange: Exchange | None, target: str | TargetError
    ) -> None:
        self._target = target
        self._front = front
        self._options = front._options
        self._request = request
        self.exchange = exchange
        self._connect = _Connect()
        self._was_answered: Callable[[], None] = _unheard
        self._body_read: bytes | None = None
        self._stream: web.StreamResponse | None = None
        self.ending: Ending = "complete"
        self.is_stopped = False
        self._is_late = False  # the client with its body
        self._urls = OwnUrls(self._options.upstream, f"{request.scheme}://{request.host}", front.addresses)

    @property
    def is_at_work(self) -> bool:
        """Whether somebody waits for an answer; on a standing stream only where calls are open."""
        accepted = self._request.headers.get("Accept", "")
        if self._request.method != "GET" or "text/event-stream" not in accepted:
            return True
        return self.exchange is not None and self.exchange.is_awaited

    async def cut_short(self) -> web.StreamResponse:
        """The end for a client whose request did not: a stream of events may stop after any, an answer that has begun
        must not look whole."""
        if self._stream is None:
            refused = self._refusal(503, "the proxy is being stopped")
            refused.force_close()
            return refused
        if self._stream.headers.get("Content-Type", "").startswith("text/event-stream"):
            await self._stream.write_eof()
        elif self._request.transport is not None:
            self._request.transport.abort()
        return self._stream

    async def run(self) -> web.StreamResponse:
        request, client = self._request, self._front._client
        assert client is not None
        if self._front._loopback and not listening.is_own_name(
            request.headers.get("Host", ""), self._options.listen.host
        ):
            return self._refusal(421, "the Host header does not name this proxy")
        target = self._target
        if isinstance(target, TargetError):
            refused = self._refusal(target.status, target.why)
            if target.status == 405:
                refused.headers["Allow"] = ALLOWED
            return refused
        if target == "*":
            return self._about_us()
        url = URL.build(
            scheme=self._options.upstream.scheme,
            authority=self._options.upstream.authority,
            path=self._options.upstream.target(target),  # with the query: yarl would drop an empty one
            encoded=True,
        )
        if not self._options.upstream.is_at(url.scheme, url.raw_user, url.raw_host, url.port):
            return self._refusal(400, "the request target names another server")
        if request.headers.get("Expect", "").lower() == "100-continue" and request.transport is not None:
            request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        peer = request.remote
        try:
            body = await self._body()
        except (aiohttp.ClientPayloadError, web.RequestPayloadError):
            return self._refusal(400, "the body of the request is broken")
        except TimeoutError:
            return self._too_slow()
        headers = CIMultiDict(for_server(request.headers.items(), self._options.upstream, peer, self._may_be_rewritten))
        if request.content_length is not None and not isinstance(body, bytes) and body is not None:
            headers["Content-Length"] = str(request.content_length)
        try:
            return await self._in_turn(client, url, headers, body)
        except aiohttp.ClientConnectionResetError:
            raise
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            if self._is_late:
                return self._too_slow()
            if isinstance(error, ConnectionError) and not isinstance(error, aiohttp.ClientError):
                raise
            self.ending = "unreachable"
            return self._refusal(502, f"the server does not answer: {type(error).__name__}")

    async def _in_turn(
        self,
        client: aiohttp.ClientSession,
        url: URL,
        headers: CIMultiDict[str],
        body: bytes | AsyncIterator[bytes] | None,
    ) -> web.StreamResponse:
        """A GET opens the stream on which the server asks what a later call makes it ask: it has to be there first.
        All else may be answered late, and the next goes once it was sent."""
        session = self._request.headers.get(SESSION_HEADER)
        opens_stream = self._request.method == "GET"
        async with self._front.order.enter(session, MAX_STREAM_WAIT_S if opens_stream else None) as over:
            if opens_stream:
                self._was_answered = over
            else:
                self._connect.sent = over
            return await self._exchange_with(client, url, headers, body)

    async def _exchange_with(
        self,
        client: aiohttp.ClientSession,
        url: URL,
        headers: CIMultiDict[str],
        body: bytes | AsyncIterator[bytes] | None,
    ) -> web.StreamResponse:
        async with client.request(
            self._request.method,
            url,
            headers=headers,
            data=body,
            allow_redirects=False,
            trace_request_ctx=self._connect,
        ) as response:
            self._was_answered()
            return await self._pass_back(response)

    async def _body(self) -> bytes | AsyncIterator[bytes] | None:
        """The body to pass on: whole where it is small, else as it comes."""
        request = self._request
        if not request.can_read_body:
            return None
        if (request.content_length or WHOLE_BYTES) < WHOLE_BYTES:
            if request.content.is_eof():  # most bodies are there with their head
                body = await request.read()
            else:
                body = b"".join([part async for part in self._parts()])
            return self._observed(body, len(body)) or body
        return self._large_body()

    async def _parts(self) -> AsyncIterator[bytes]:
        """The parts of the request's body. Raises TimeoutError for a client that sends them too slowly; the time in
        which the server does not take them is not the client's."""
        loop, limits = asyncio.get_running_loop(), self._options.deadlines
        left_s = limits.body_s
        content = self._request.content
        while True:
            began_s = loop.time()
            try:
                async with asyncio.timeout(left_s):
                    part = await content.readany()
            except TimeoutError:
                self._is_late = True
                raise
            if not part:
                return
            left_s = min(limits.body_s, left_s - (loop.time() - began_s) + len(part) / limits.body_bytes_per_s)
            yield part

    async def _large_body(self) -> AsyncIterator[bytes]:
        """Before the server has the last part it is known what the request was."""
        parts: list[bytes] = []
        size = 0
        observed = False
        is_whole = True
        copy = Copy(self._front._context.copies)
        try:
            async for part in self._parts():
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
            self._body_read = body
        if self.exchange is None:
            return None
        rewritten = self._front._safely(self.exchange.body_of_request, body, size)
        return rewritten if isinstance(rewritten, bytes) else None

    # -- back -------------------------------------------------------------------------------------------

    async def _pass_back(self, answer: aiohttp.ClientResponse) -> web.StreamResponse:
        is_rewritten = self._names_endpoint(answer) or self._is_metadata(answer)
        if self.exchange is not None:
            head = {name.lower(): value for name, value in answer.headers.items()}
            if is_rewritten:
                head.pop("content-encoding", None)
            self._front._safely(self.exchange.answered, answer.status, head, self._connect.took_ns, now())
        self._front.reached(answer, self._connect)
        headers = CIMultiDict(for_client(answer.headers.items(), self._urls))
        self._look_at_redirect(answer)
        if is_rewritten:
            return await self._pass_rewritten(answer, headers)
        whole = answer.content_length is not None and answer.content_length <= WHOLE_BYTES
        if self._request.method == "HEAD" or answer.status in _NO_BODY:
            return _plain(answer, headers, b"")
        if whole:
            return await self._pass_whole(answer, headers)
        return await self._pass_stream(answer, headers)

    async def _pass_whole(self, answer: aiohttp.ClientResponse, headers: CIMultiDict[str]) -> web.StreamResponse:
        try:
            body = await answer.read()
        except (aiohttp.ClientError, OSError):
            self.ending = "server_disconnect"
            return self._refusal(502, "the server broke off its answer")
        await self._seen(body)
        self._complete()
        return _plain(answer, headers, body)

    async def _pass_stream(self, answer: aiohttp.ClientResponse, headers: CIMultiDict[str]) -> web.StreamResponse:
        response = await self._begun(answer, headers)
        try:
            async for chunk in answer.content.iter_any():
                await self._seen(chunk)
                await response.write(chunk)
        except _BROKEN_OFF:
            return self._broken_off(response)
        self._complete()
        await response.write_eof()
        return response

    async def _begun(self, answer: aiohttp.ClientResponse, headers: CIMultiDict[str]) -> web.StreamResponse:
        response = web.StreamResponse(status=answer.status, reason=answer.reason, headers=headers)
        if "Content-Length" not in headers and self._request.version >= aiohttp.HttpVersion11:
            response.enable_chunked_encoding()
        await response.prepare(self._request)
        self._stream = response
        return response

    def _broken_off(self, response: web.StreamResponse) -> web.StreamResponse:
        self.ending = "server_disconnect"
        if self._request.transport is not None:  # the client has to see that there was to be more
            self._request.transport.abort()
        return response

    async def _pass_rewritten(self, answer: aiohttp.ClientResponse, headers: CIMultiDict[str]) -> web.StreamResponse:
        """Passes a body on that may name the server by a URL which has to lead here."""
        for name in ("Content-Length", "Content-Encoding", "Content-MD5", "Digest", "Content-Digest", "Repr-Digest"):
            headers.popall(name, None)
        coding = inflater(answer.headers.get("Content-Encoding"), strict=True)
        body: Endpoints | _Document
        body = Endpoints(self._own_endpoint) if self._names_endpoint(answer) else _Document(self._urls.metadata)
        response = await self._begun(answer, headers)
        try:
            async for chunk in answer.content.iter_any():
                for plain in coding.slices(chunk, WHOLE_BYTES):
                    await self._seen(plain)
                    await response.write(body.feed(plain))
        except _BROKEN_OFF:
            return self._broken_off(response)
        self._complete()
        await response.write(body.rest())
        await response.write_eof()
        return response

    async def _seen(self, chunk: bytes) -> None:
        """Shows a chunk to the exchange in slices, between which other requests go on."""
        if self.exchange is None:
            return
        try:
            steps = self.exchange.chunk(chunk, now())
            next(steps, None)
            for _ in steps:
                await asyncio.sleep(0)
        except Exception as error:  # observation fails open
            self._front.broke(error)

    def _complete(self) -> None:
        if self.exchange is not None:
            self._front._safely(self.exchange.complete, now())

    # -- URLs of the server -----------------------------------------------------------------------------

    @property
    def _may_be_rewritten(self) -> bool:
        """Whether the answer may have a body that names the server by a URL."""
        if self._request.method != "GET":
            return False
        return "text/event-stream" in self._request.headers.get("Accept", "") or self._asks_for_metadata

    @property
    def _asks_for_metadata(self) -> bool:
        target = self._target if isinstance(self._target, str) else ""
        path = target.partition("?")[0]
        return _METADATA_PATH in path or path in self._front.metadata_paths

    def _names_endpoint(self, answer: aiohttp.ClientResponse) -> bool:
        """HTTP+SSE: a server may name the endpoint for its stream by a whole URL."""
        return (
            self._request.method == "GET"
            and answer.content_type == "text/event-stream"
            and is_readable(answer.headers.get("Content-Encoding"))
        )

    def _is_metadata(self, answer: aiohttp.ClientResponse) -> bool:
        """OAuth protected resource metadata, found by its well-known path or by a challenge that named it."""
        challenge = answer.headers.get("WWW-Authenticate")
        if challenge is not None:
            self._front.learn_metadata(self._urls.metadata_paths(challenge))
        return (
            self._request.method == "GET"
            and answer.status == 200
            and self._asks_for_metadata
            and is_readable(answer.headers.get("Content-Encoding"))
        )

    def _own_endpoint(self, url: str) -> str:
        if self._urls.is_foreign(url):
            self._front.leads_past("an event stream names an endpoint", url)
        return self._urls.own(url)

    def _look_at_redirect(self, answer: aiohttp.ClientResponse) -> None:
        """A redirect that makes the client repeat its call elsewhere."""
        place = answer.headers.get("Location")
        if answer.status in (307, 308) and self._request.method == "POST" and place and self._urls.is_foreign(place):
            self._front.leads_past("the server redirects calls", place)

    def _about_us(self) -> web.StreamResponse:
        """`OPTIONS *` asks about the server as a whole, which a client of aiohttp cannot pass on."""
        if self.exchange is not None:
            self._front._safely(self.exchange.answered, 204, {}, None, now())
        return web.Response(status=204, headers={"Allow": ALLOWED})

    def _too_slow(self) -> web.StreamResponse:
        self.ending = "client_disconnect"
        refused = self._refusal(408, "the body of the request came too slowly")
        refused.force_close()
        return refused

    def failed(self) -> web.StreamResponse:
        """The end of a request that neither the server nor this proxy can answer."""
        if self._stream is not None:
            raise asyncio.CancelledError  # its answer has begun: the connection is all that can be closed
        known = self._target
        if isinstance(known, TargetError):
            refused = self._refusal(known.status, known.why)
        else:
            refused = self._refusal(400, "the request cannot be passed on")
        refused.force_close()
        return refused

    def _refusal(self, status: int, why: str) -> web.StreamResponse:
        """An answer of our own: a JSON-RPC error, as a client of MCP can read it. It has the request's id where all of
        the body was read; a large one is not kept for that."""
        if self.exchange is not None and self.ending != "server_disconnect":
            self._front._safely(self.exchange.answered, status, {}, None, now())
        code = -32603 if status >= 500 else -32600
        return web.Response(
            status=status, body=refusal(self._body_read, code, f"mcpobs: {why}"), content_type="application/json"
        )


class _Document:
    """A body that is rewritten as a whole, as long as it is small enough to be held back."""

    def __init__(self, rewrite: Callable[[bytes], bytes]) -> None:
        self._rewrite = rewrite
        self._held: bytes | None = b""

    def feed(self, chunk: bytes) -> bytes:
        if self._held is None:
            return chunk
        self._held += chunk
        if len(self._held) <= WHOLE_BYTES:
            return b""
        chunk, self._held = self._held, None
        return chunk

    def rest(self) -> bytes:
        return self._rewrite(self._held) if self._held else b""


class _Runner(web.ServerRunner):
    """Of aiohttp's, which would let each connection go on for a time, and then drop it."""

    def __init__(self, server: web.Server, let_end: Callable[[], Awaitable[None]]) -> None:
        super().__init__(server, handle_signals=False, shutdown_timeout=LAST_S)  # to write what is written
        self._let_end = let_end

    async def shutdown(self) -> None:
        await self._let_end()


def _plain(answer: aiohttp.ClientResponse, headers: CIMultiDict[str], body: bytes) -> web.Response:
    if "Content-Type" not in headers and body == b"":
        headers.popall("Content-Length", None)
    return web.Response(status=answer.status, reason=answer.reason, headers=headers, body=body or None)


async def _sent(_session: object, context: SimpleNamespace, _params: object) -> None:
    context.trace_request_ctx.sent()


def _unheard() -> None:
    pass


class _Connect:
    """How long it took to connect to the server; None where a connection was there. `sent` is called once the request was sent."""

    def __init__(self) -> None:
        self.sent: Callable[[], None] = _unheard
        self.began_ns = 0
        self.took_ns: int | None = None


async def _connecting(_session: object, context: SimpleNamespace, _params: object) -> None:
    connect = context.trace_request_ctx
    connect.began_ns = time.monotonic_ns()


async def _connected(_session: object, context: SimpleNamespace, _params: object) -> None:
    connect = context.trace_request_ctx
    connect.took_ns = time.monotonic_ns() - connect.began_ns


def _allow_open_files() -> None:
    """Each stream takes two; a process is often begun with 1,024, and may raise that itself."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else hard
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
