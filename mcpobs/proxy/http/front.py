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
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
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
from mcpobs.protocol.sse import Event
from mcpobs.proxy.http.body import MAX_COPY_BYTES
from mcpobs.proxy.http.exchange import SESSION_HEADER, Books, Ending, Exchange, Request
from mcpobs.proxy.http.forwarding import Upstream, for_client, for_server, is_own_name, own_url
from mcpobs.proxy.http.identity import Verify
from mcpobs.proxy.http.turns import MAX_STREAM_WAIT_S, Turns

CONNECT_TIMEOUT_S = 10.0
KEEP_ALIVE_S = 4.0  # below the 5 s of uvicorn and Node: a connection that the server is closing is not used again
READ_BYTES = 1 << 16
WHOLE_BYTES = 1 << 20  # a body below this is passed on in one piece: more aiohttp would refuse to read so
GRACE_S = 5.0  # what is under way when the front is stopped may take
LAST_S = 1.0  # and a client, to read how it ended
_LOOK_S = 0.02
_NO_BODY = (204, 304)
_STOPPING = (signal.SIGTERM, signal.SIGINT)
_OPEN_FILES = 1 << 20

Tell = Callable[[str], None]


def now() -> Stamp:
    return Stamp(time.time_ns(), time.monotonic_ns())


@dataclass(frozen=True, slots=True)
class FrontOptions:
    """Where the front listens, what it stands in front of, and who vouches for callers."""

    listen: Endpoint
    upstream: Upstream
    verify: Verify
    tls: ssl.SSLContext | None = None  # towards the server


async def serve(options: FrontOptions, books: Books, tell: Tell) -> None:
    """Passes requests on until SIGTERM or SIGINT. Raises UsageError where it cannot listen."""
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in _STOPPING:
        loop.add_signal_handler(number, stopped.set)
    front = Front(options, books, tell)
    sockets = listening.bind(options.listen, "--listen")
    try:
        at = Endpoint(options.listen.host, sockets[0].getsockname()[1])
        await front.start(sockets)
        tell(f"passing http://{at} on to {options.upstream.origin}{masked_path(options.upstream.path)}")
        if not all(map(listening.is_loopback, sockets)):
            tell(f"warning: other machines can reach http://{at}, without encryption")
        gc.freeze()  # what is loaded by now stays: the collector need not look through it
        await stopped.wait()
    finally:
        await front.stop()
        for number in _STOPPING:
            loop.remove_signal_handler(number)


class Front:
    """The proxy between the sockets and one server."""

    def __init__(self, options: FrontOptions, books: Books, tell: Tell) -> None:
        self._options = options
        self._books = books
        self._tell = tell
        self._told: set[str] = set()
        self._under_way: dict[Passage, asyncio.Task[object]] = {}
        self._runner: web.ServerRunner | None = None
        self._client: aiohttp.ClientSession | None = None
        self._loopback = False
        self.turns = Turns()

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
        server = web.Server(
            self._handle,
            handler_cancellation=True,
            auto_decompress=False,
            access_log=None,
            max_line_size=1 << 16,
            max_field_size=1 << 16,
        )
        self._runner = _Runner(server, self._let_end)
        await self._runner.setup()
        for bound in sockets:
            await web.SockSite(self._runner, bound, backlog=listening.BACKLOG).start()

    async def stop(self) -> None:
        """Accepts no more, lets requests end for GRACE_S, and tells the clients of those that are left."""
        if self._runner is not None:
            await self._runner.cleanup()
        for passage in list(self._under_way):
            self._ended(passage, "shutdown")
        if self._client is not None:
            await self._client.close()

    async def _let_end(self) -> None:
        loop = asyncio.get_running_loop()
        until_s = loop.time() + GRACE_S
        while loop.time() < until_s and any(passage.is_at_work for passage in self._under_way):
            await asyncio.sleep(_LOOK_S)
        left = dict(self._under_way)
        for passage, task in left.items():
            passage.is_stopped = True
            task.cancel()
        if left:
            await asyncio.wait(left.values(), timeout=LAST_S)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        passage = Passage(self, request, self._open(request))
        task = asyncio.current_task()
        assert task is not None
        self._under_way[passage] = task
        ending: Ending = "client_disconnect"  # what a cancellation means
        try:
            response = await self._passed(passage, task)
            ending = passage.ending
            return response
        except ConnectionError:  # the client's: the server's are dealt with below
            raise asyncio.CancelledError from None
        finally:
            del self._under_way[passage]
            self._ended(passage, "shutdown" if passage.is_stopped else ending)

    async def _passed(self, passage: Passage, task: asyncio.Task[object]) -> web.StreamResponse:
        try:
            return await passage.run()
        except asyncio.CancelledError:
            if not passage.is_stopped:
                raise
            task.uncancel()
            return await passage.cut_short()

    def _ended(self, passage: Passage, how: Ending) -> None:
        if passage.exchange is not None:
            self._safely(passage.exchange.ended, how, now())

    def _open(self, request: web.BaseRequest) -> Exchange | None:
        peer = request.transport.get_extra_info("peername") if request.transport is not None else None
        try:
            headers = {name.lower(): value for name, value in request.headers.items()}
            head = Request(
                method=request.method,
                target=request.raw_path,
                headers=headers,
                version=f"{request.version.major}.{request.version.minor}",
                peer=str(peer[0]) if peer else None,
                connection=f"{peer[0]}:{peer[1]}" if peer else "?",
                began=now(),
            )
            return Exchange(self._books, head, self._options.verify(headers))
        except Exception as error:  # observation fails open
            self.broke(error)
            return None

    def _safely(self, call: Callable[..., object], *arguments: object) -> object:
        try:
            return call(*arguments)
        except Exception as error:
            self.broke(error)
            return None

    def broke(self, error: Exception) -> None:
        """Says once for each place that something of ours broke. The message may quote content, so it is not told."""
        frame = error.__traceback__
        while frame is not None and frame.tb_next is not None:
            frame = frame.tb_next
        where = f"{frame.tb_frame.f_code.co_filename}:{frame.tb_lineno}" if frame else "?"
        if where not in self._told:
            self._told.add(where)
            self._tell(f"a request could not be observed ({type(error).__name__} at {where}); it goes on")


class Passage:
    """One request on its way through."""

    def __init__(self, front: Front, request: web.BaseRequest, exchange: Exchange | None) -> None:
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
        if self._front._loopback and not is_own_name(request.headers.get("Host", ""), self._options.listen.host):
            return self._refusal(421, "the Host header does not name this proxy")
        if request.headers.get("Expect", "").lower() == "100-continue" and request.transport is not None:
            request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        peer = request.remote
        try:
            body = await self._body()
        except (aiohttp.ClientPayloadError, web.RequestPayloadError):
            return self._refusal(400, "the body of the request is broken")
        url = URL(self._options.upstream.url(request.raw_path), encoded=True)
        headers = CIMultiDict(for_server(request.headers.items(), self._options.upstream, peer))
        if request.content_length is not None and not isinstance(body, bytes) and body is not None:
            headers["Content-Length"] = str(request.content_length)
        try:
            return await self._in_turn(client, url, headers, body)
        except aiohttp.ClientConnectionResetError:
            raise
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
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
        async with self._front.turns.take(session, MAX_STREAM_WAIT_S if opens_stream else None) as over:
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
            body = await request.read()
            return self._observed(body, len(body)) or body
        return self._large_body()

    async def _large_body(self) -> AsyncIterator[bytes]:
        """Before the server has the last part it is known what the request was."""
        parts: list[bytes] = []
        size = 0
        observed = False
        async for part in self._request.content.iter_any():
            size += len(part)
            if size <= MAX_COPY_BYTES:
                parts.append(part)
            else:
                parts.clear()
            if size == self._request.content_length:
                observed = True
                self._observed(b"".join(parts) if size <= MAX_COPY_BYTES else None, size)
            yield part
        if not observed:  # chunked: the end is what the server is still waiting for
            self._observed(b"".join(parts) if size <= MAX_COPY_BYTES else None, size)

    def _observed(self, body: bytes | None, size: int) -> bytes | None:
        if size < WHOLE_BYTES:
            self._body_read = body
        if self.exchange is None:
            return None
        rewritten = self._front._safely(self.exchange.body_of_request, body, size)
        return rewritten if isinstance(rewritten, bytes) else None

    # -- back -------------------------------------------------------------------------------------------

    async def _pass_back(self, answer: aiohttp.ClientResponse) -> web.StreamResponse:
        if self.exchange is not None:
            head = {name.lower(): value for name, value in answer.headers.items()}
            self._front._safely(self.exchange.answered, answer.status, head, self._connect.took_ns, now())
        headers = CIMultiDict(for_client(answer.headers.items(), self._options.upstream, self._own_origin()))
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
        self._seen(body)
        self._complete()
        return _plain(answer, headers, body)

    async def _pass_stream(self, answer: aiohttp.ClientResponse, headers: CIMultiDict[str]) -> web.StreamResponse:
        response = web.StreamResponse(status=answer.status, reason=answer.reason, headers=headers)
        if "Content-Length" not in headers and self._request.version >= aiohttp.HttpVersion11:
            response.enable_chunked_encoding()
        await response.prepare(self._request)
        self._stream = response
        try:
            async for chunk in answer.content.iter_any():
                await response.write(self._rewritten(chunk, self._seen(chunk)))
        except (aiohttp.ClientPayloadError, aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
            self.ending = "server_disconnect"
            if self._request.transport is not None:  # the client has to see that there was to be more
                self._request.transport.abort()
            return response
        self._complete()
        await response.write_eof()
        return response

    def _seen(self, chunk: bytes) -> list[Event]:
        if self.exchange is None:
            return []
        found = self._front._safely(self.exchange.chunk, chunk, now())
        return found if isinstance(found, list) else []

    def _complete(self) -> None:
        if self.exchange is not None:
            self._front._safely(self.exchange.complete, now())

    def _rewritten(self, chunk: bytes, events: list[Event]) -> bytes:
        """HTTP+SSE: a server may name its endpoint by a whole URL, which has to lead here."""
        for event in events:
            if event.name == "endpoint":
                theirs = event.data.decode("utf-8", "replace")
                ours = own_url(theirs, self._options.upstream, self._own_origin())
                chunk = chunk.replace(theirs.encode(), ours.encode(), 1)
        return chunk

    def _own_origin(self) -> str:
        return f"{self._request.scheme}://{self._request.host}"

    def _refusal(self, status: int, why: str) -> web.StreamResponse:
        """An answer of our own: a JSON-RPC error, as a client of MCP can read it. It has the request's id where all of
        the body was read; a large one is not kept for that."""
        if self.exchange is not None and self.ending != "server_disconnect":
            self._front._safely(self.exchange.answered, status, {}, None, now())
        code = -32603 if status >= 500 else -32600
        return web.Response(
            status=status, body=refusal(self._body_read, code, f"mcpobs: {why}"), content_type="application/json"
        )


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
    """How long it took to connect to the server; None where a connection was there. `sent` is told of the request."""

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
