"""Runs the HTTP front: listens, hands requests to their handlers, and ends on a signal."""

from __future__ import annotations

import asyncio
import gc
import resource
import signal
import socket
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

from aiohttp import web

from mcpobs import listening
from mcpobs.gate.waiting import LOOK_S
from mcpobs.library_logs import replace_logs
from mcpobs.listening import Endpoint
from mcpobs.masking import masked_path
from mcpobs.protocol.lifecycle import now
from mcpobs.proxy.http.connections import Connection, Connections, Deadlines, Server
from mcpobs.proxy.http.context import Ending, ExchangeContext, Request
from mcpobs.proxy.http.exchange import Exchange
from mcpobs.proxy.http.handler import RequestHandler, Shared
from mcpobs.proxy.http.headers import MAX_HEAD_BYTES, MAX_HEADERS, Header, headers_of, readable
from mcpobs.proxy.http.identity import Verify
from mcpobs.proxy.http.observation import Observation
from mcpobs.proxy.http.ordering import SessionOrder
from mcpobs.proxy.http.outage import Outage
from mcpobs.proxy.http.own_urls import place_of, same_place
from mcpobs.proxy.http.redirects import WAIT_NS
from mcpobs.proxy.http.server_names import ServerNames
from mcpobs.proxy.http.targets import TargetError, Upstream, origin_form
from mcpobs.proxy.http.upstream import UpstreamConnections
from mcpobs.stderr import Once, Warn, fault

GRACE_S = 5.0  # for what is under way when the front is stopped
LINGER_S = 5.0  # for a client to end sending a body that is not wanted
LAST_S = 1.0  # for a client to read how its request ended
_LOOK_S = 0.02
_TOO_LARGE = f"the head of the request has more than {MAX_HEAD_BYTES >> 10} KiB or {MAX_HEADERS} headers"
_STOPPING = (signal.SIGTERM, signal.SIGINT)
_OPEN_FILES = 1 << 20


@dataclass(frozen=True, slots=True)
class FrontOptions:
    """Where the front listens, which server is behind it, and who vouches for callers."""

    listen: Endpoint
    upstream: Upstream
    verify: Verify
    tls: ssl.SSLContext | None = None  # towards the server
    deadlines: Deadlines = field(default_factory=Deadlines)


async def serve(options: FrontOptions, context: ExchangeContext, warn: Warn) -> None:
    """Passes requests on until SIGTERM or SIGINT. Raises UsageError if it cannot listen."""
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
        gc.freeze()  # everything loaded by now stays: the collector need not look through it
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
        self.once = Once(warn)
        self.connections = Connections(options.deadlines, self.once)
        self.order = SessionOrder()
        self._under_way: dict[RequestHandler, asyncio.Task[object]] = {}
        self._runner: web.ServerRunner | None = None
        self._shared: Shared | None = None
        self._next_look: asyncio.TimerHandle | None = None
        self._next_waits: asyncio.TimerHandle | None = None
        self._new_handler = RequestHandler
        if context.gate.enforcing:
            from mcpobs.proxy.http.judged_handler import JudgedRequestHandler  # a front that observes loads none of it

            self._new_handler = JudgedRequestHandler

    async def start(self, sockets: list[socket.socket]) -> None:
        _allow_open_files()
        options = self._options
        self._shared = Shared(
            options.listen,
            all(map(listening.is_loopback, sockets)),
            options.upstream,
            UpstreamConnections(options.upstream, options.tls),
            options.deadlines,
            self._context.copies,
            self.order,
            ServerNames(self.once),
            Outage(options.upstream.origin, self._warn),
        )
        server = Server(
            self._handle,
            self.connections,
            self._failed,
            {
                "auto_decompress": False,
                "access_log": None,
                "keepalive_timeout": 2 * options.deadlines.idle_s,  # `connections` closes idle ones earlier
                "lingering_time": LINGER_S,
                "max_line_size": MAX_HEAD_BYTES,
                "max_field_size": MAX_HEAD_BYTES,
                "max_headers": MAX_HEADERS,
            },
        )
        self._runner = _Runner(server, self._let_end)
        await self._runner.setup()
        for bound in sockets:
            await web.SockSite(self._runner, bound, backlog=listening.BACKLOG).start()

    async def stop(self) -> None:
        """Accepts no more, lets requests end for GRACE_S, and answers those that are left."""
        if self._runner is not None:
            await self._runner.cleanup()
        for handler in list(self._under_way):
            handler.observation.ended("shutdown")
        for timer in (self._next_look, self._next_waits):
            if timer is not None:
                timer.cancel()
        self._context.redirects.give_up()
        if self._shared is not None:
            self._shared.server.close()

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
            return await self._answered(request)
        finally:
            connection.rests()

    async def _answered(self, request: web.BaseRequest) -> web.StreamResponse:
        target: str | TargetError
        try:
            target = origin_form(request.method, request.raw_path, self._names_proxy(request))
        except TargetError as error:
            target = error
        headers = headers_of(request.headers.items())
        by_name = {header.lower: readable(header.value) for header in headers}
        await self._options.verify.ready(by_name)
        handler = self._handler(request, request.method, target, headers, by_name)
        task = asyncio.current_task()
        assert task is not None
        self._under_way[handler] = task
        if self._next_waits is None:
            self._next_waits = asyncio.get_running_loop().call_later(LOOK_S, self._look_at_waits)
        ending: Ending = "client_disconnect"  # what a cancellation means
        try:
            response = await self._run(handler, task)
            ending = handler.ending
            return response
        except ConnectionError:  # the client's: those of the server are UpstreamError
            raise asyncio.CancelledError from None
        except Exception as error:  # ours, or of a library: a message that cannot be written, for example
            self.broke(error)
            ending = handler.ending
            return handler.failed()
        finally:
            del self._under_way[handler]
            handler.observation.ended("shutdown" if handler.is_stopped else ending)
            if self._context.redirects and self._next_look is None:
                self._next_look = asyncio.get_running_loop().call_later(WAIT_NS / 1e9, self._give_up_redirects)

    def _look_at_waits(self) -> None:
        """Looks after the calls that are open for long, once a second while there are requests."""
        mono_ns = now().mono_ns
        for handler in list(self._under_way):
            handler.observation.look(mono_ns)
        again = bool(self._under_way)
        self._next_waits = asyncio.get_running_loop().call_later(LOOK_S, self._look_at_waits) if again else None

    def _give_up_redirects(self) -> None:
        """Records the redirected calls that no client made again."""
        redirects = self._context.redirects
        self._next_look = None
        try:
            redirects.give_up(now().mono_ns - WAIT_NS)
        except Exception as error:
            self.broke(error)
        if redirects:
            self._next_look = asyncio.get_running_loop().call_later(WAIT_NS / 1e9, self._give_up_redirects)

    async def _run(self, handler: RequestHandler, task: asyncio.Task[object]) -> web.StreamResponse:
        try:
            return await handler.run()
        except asyncio.CancelledError:
            if not handler.is_stopped:
                raise
            task.uncancel()
            return await handler.cut_short()

    def _failed(self, request: web.BaseRequest, status: int, is_too_large: bool) -> web.StreamResponse:
        """Records and answers a request whose head could not be parsed."""
        headers = headers_of(request.headers.items())
        error = TargetError(431, _TOO_LARGE) if is_too_large else TargetError(status, "the request is not valid HTTP")
        by_name = {header.lower: readable(header.value) for header in headers}
        handler = self._handler(request, "_OTHER", error, headers, by_name)
        response = handler.failed()
        handler.observation.ended("complete")
        return response

    def _names_proxy(self, request: web.BaseRequest) -> Callable[[str], bool]:
        """Whether the authority of an absolute request target is this proxy, or the server behind it."""

        def names_proxy(authority: str) -> bool:
            upstream = self._options.upstream
            if same_place(f"{upstream.scheme}://{authority}", upstream.origin):
                return True
            if self._shared is None or not self._shared.is_loopback:
                return same_place(f"http://{authority}", f"http://{request.host}")
            own = request.transport.get_extra_info("sockname") if request.transport is not None else None
            named = place_of(f"http://{authority}")
            is_our_port = own is not None and named is not None and named.port == own[1]
            return is_our_port and listening.is_own_name(authority, self._options.listen.host)

        return names_proxy

    def _handler(
        self,
        request: web.BaseRequest,
        method: str,
        target: str | TargetError,
        headers: list[Header],
        by_name: dict[str, str],
    ) -> RequestHandler:
        assert self._shared is not None
        exchange = self._open(request, method, target if isinstance(target, str) else "", by_name)
        observation = Observation(exchange, self.broke)
        return self._new_handler(self._shared, request, headers, target, exchange, observation)

    def _open(self, request: web.BaseRequest, method: str, target: str, headers: dict[str, str]) -> Exchange | None:
        peer = request.transport.get_extra_info("peername") if request.transport is not None else None
        try:
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

    def broke(self, error: Exception) -> None:
        """Reports a fault of ours once for each line of code. The message may quote content, so it is left out."""
        found = fault(error)
        self.once(found, f"a request could not be observed ({found}); it goes on")


class _Runner(web.ServerRunner):
    """aiohttp's, which would let each connection go on for a time, and then drop it."""

    def __init__(self, server: web.Server, let_end: Callable[[], Awaitable[None]]) -> None:
        super().__init__(server, handle_signals=False, shutdown_timeout=LAST_S)  # to write what is written
        self._let_end = let_end

    async def shutdown(self) -> None:
        await self._let_end()


def _allow_open_files() -> None:
    """Each stream takes two; a process is often begun with 1,024, and may raise that itself."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else hard
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
