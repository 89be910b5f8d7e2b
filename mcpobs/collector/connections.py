"""Owns all HTTP connections of a collector: listens, admits, finds slow clients, lets requests end. Knows no OTLP."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from email.utils import formatdate
from functools import partial

from aiohttp import web

from mcpobs.collector.admission import Admission
from mcpobs.collector.connection import Connection
from mcpobs.collector.handshake import Handshake, drop_handshakes
from mcpobs.collector.headers import headers_of
from mcpobs.collector.http import HttpReceiver
from mcpobs.collector.limits import Limits
from mcpobs.collector.reply import Silence
from mcpobs.collector.requests import Requests
from mcpobs.listening import BACKLOG


class Connections:
    """The HTTP connections of one event loop."""

    def __init__(self, receiver: HttpReceiver, limits: Limits, counters: Counter[str]) -> None:
        self.limits = limits
        self.counters = counters
        self.date = b""
        """The value of the Date header."""
        self._receiver = receiver
        self._loop = asyncio.get_running_loop()
        self._server = web.Server(self._handle)
        self._listening: list[asyncio.Server] = []
        self._open: set[Connection] = set()
        self._tasks: set[asyncio.Task[object]] = set()
        self._ended = asyncio.Event()
        """Set whenever a request or a connection ends."""
        self._admission = Admission(limits.connections, self._loop.time)
        self._look()

    async def listen(self, sockets: list[socket.socket], tls: ssl.SSLContext | None) -> Connections:
        """Serves until `stop`. Owns the sockets."""
        accept: Callable[[], asyncio.Protocol] = partial(Connection, self, self._server)
        if tls is not None:
            accept = partial(Handshake, tls, self._admission, self.limits, self.counters, "http", accept)
        for bound in sockets:
            self._listening.append(await self._loop.create_server(accept, sock=bound, backlog=BACKLOG))
        return self

    def enter(self, connection: Connection) -> bool:
        """Counts a new connection. Returns whether it has a place."""
        self._open.add(connection)
        return self._admission.enter(connection)

    def leave(self, connection: Connection) -> None:
        self._open.discard(connection)
        self._admission.leave(connection)
        self._ended.set()

    async def stop(self, grace_s: float) -> None:
        """Gives requests in flight `grace_s` to end, then ends them. May be called again with less."""
        for server in self._listening:
            server.close()
        drop_handshakes(self._admission)
        for connection in list(self._open):
            connection.stop()
        await self._until(lambda: not self._tasks and not any(connection.owes for connection in self._open), grace_s)
        for connection in list(self._open):
            if connection.owes:
                connection.drop("cut_off")
        await self._until(lambda: not self._open, min(grace_s, self.limits.linger_s))  # for clients to read an answer
        for connection in list(self._open):
            connection.drop("cut_off")
        await self._until(lambda: not self._open)  # asyncio reports a lost connection in a later turn
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._timer.cancel()

    async def _until(self, done: Callable[[], bool], most_s: float | None = None) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(most_s):
                while not done():
                    self._ended.clear()
                    await self._ended.wait()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Handles each request; called by aiohttp."""
        requests, task = request.protocol, asyncio.current_task()
        assert isinstance(requests, Requests)
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._forget)
        connection, headers = requests.connection, headers_of(request)
        if not connection.begin(request, dict(reversed(headers))):  # the first of several counts
            return Silence(connection)
        return await self._receiver.answer(request, headers, connection)

    def _forget(self, task: asyncio.Task[object]) -> None:
        self._tasks.discard(task)
        self._ended.set()

    def _look(self) -> None:
        now = self._loop.time()
        for connection in list(self._open):
            connection.look(now)
        self.date = formatdate(usegmt=True).encode()
        every_s = min(1.0, self.limits.head_s / 4, self.limits.linger_s / 4)
        self._timer = self._loop.call_later(every_s, self._look)
