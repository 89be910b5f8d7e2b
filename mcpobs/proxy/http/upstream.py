"""The front's connections to the server: opened when they are needed, used again, and closed after KEEP_ALIVE_S.

There is one server, so a request names no host here: its bytes go to the upstream's address and nowhere else. aiohttp's
client takes a third of a small call to choose among hosts, proxies, cookies and redirects, none of which apply; its
parser and its flow control are used as they are.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from inspect import signature
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.http import RawResponseMessage, StreamWriter
from multidict import CIMultiDictProxy

from mcpobs.proxy.http.codings import coding_of
from mcpobs.proxy.http.context import is_events
from mcpobs.proxy.http.headers import MAX_HEAD_BYTES, MAX_HEADERS, readable
from mcpobs.proxy.http.targets import DEFAULT_PORTS, Upstream

CONNECT_TIMEOUT_S = 10.0
KEEP_ALIVE_S = 4.0  # below the 5 s of uvicorn and Node: a connection that the server is closing is not used again
READ_BYTES = 1 << 16
_NEXT_ADDRESS_S = 0.25  # RFC 8305, 8: until the next address of a name is tried besides
_WITHOUT_BODY = ("GET", "HEAD", "OPTIONS", "TRACE")
_REPEATABLE = (*_WITHOUT_BODY, "PUT", "DELETE")

_MAX_HEADERS: dict[str, Any] = (
    {"max_headers": MAX_HEADERS} if "max_headers" in signature(ResponseHandler.set_response_params).parameters else {}
)  # aiohttp before 3.14 does not count them
_NOT_HTTP = f"the server's answer is not valid HTTP, or its head has more than {MAX_HEAD_BYTES >> 10} KiB ({{}})"

Body = bytes | AsyncIterator[bytes] | None


class UpstreamError(Exception):
    """The server cannot be reached, ended the connection without an answer, or gave one that cannot be passed on.
    `kind` is the class of the reason, and `why` says it."""

    def __init__(self, error: BaseException | str) -> None:
        self.kind = error if isinstance(error, str) else type(error).__name__
        self.is_answer = isinstance(error, str)
        self.why = error if isinstance(error, str) else f"the server does not answer: {self.kind}"
        super().__init__(self.why)


class Answer:
    """One response of the server: its head, and its body in `content`. `release` has to be called in the end."""

    def __init__(self, owner: UpstreamConnections, opened: _Opened) -> None:
        self._owner = owner
        self._opened = opened
        self._upload: asyncio.Task[None] | None = None
        self._is_answered = False
        self.status = 0
        self.reason = ""
        self.headers: CIMultiDictProxy[str]
        self.content: aiohttp.StreamReader

    @property
    def connect_ns(self) -> int | None:
        """Nanoseconds that it took to connect; None for a connection that was open."""
        return self._opened.connect_ns

    @property
    def peer(self) -> str | None:
        """The address that was connected to for this answer."""
        return self._opened.peer if self._opened.connect_ns is not None else None

    @property
    def content_length(self) -> int | None:
        length = self.headers.get("Content-Length")
        return int(length) if length is not None else None

    @property
    def is_events(self) -> bool:
        return is_events(self.headers.get("Content-Type"))

    @property
    def coding(self) -> str | None:
        return coding_of(self.headers)

    async def ask(self, method: str, head: bytes, body: Body, sent: Callable[[], None]) -> None:
        """Sends a request and waits for the head of its response; `sent` is called in between."""
        connection = self._opened.connection
        connection.set_response_params(
            skip_payload=method == "HEAD",
            read_until_eof=True,
            auto_decompress=False,
            read_bufsize=READ_BYTES,
            max_line_size=MAX_HEAD_BYTES,
            max_field_size=MAX_HEAD_BYTES,
            **_MAX_HEADERS,
        )
        if connection.transport is None or connection.transport.is_closing():
            raise aiohttp.ServerDisconnectedError
        if body is None or isinstance(body, bytes):
            connection.transport.write(head + body if body else head)
        else:
            connection.transport.write(head)
            self._upload = asyncio.create_task(self._send(body, b"\r\nTransfer-Encoding: chunked\r\n" in head))
        sent()
        message: RawResponseMessage
        while True:
            message, self.content = await connection.read()
            if message.code == 101:
                raise UpstreamError("the server switches to another protocol")
            if not 100 <= message.code <= 199:
                break
        if not _has_text(message.headers):
            raise UpstreamError("a header of the server's answer is not UTF-8")
        self.status, self.reason, self.headers = message.code, message.reason, message.headers
        self._is_answered = True

    async def _send(self, body: AsyncIterator[bytes], chunked: bool) -> None:
        connection = self._opened.connection
        writer = StreamWriter(connection, asyncio.get_running_loop())
        if chunked:
            writer.enable_chunking()
        try:
            async for part in body:
                await writer.write(part)
            await writer.write_eof()
        except Exception as error:
            connection.set_exception(error)

    def release(self) -> None:
        """Ends the exchange. A connection on which more could come is closed: the next request must not get it."""
        is_sent = self._upload is None or self._upload.done()
        if self._upload is not None:
            self._upload.cancel()
        self._owner.give_back(self._opened, is_sent and self._is_answered and self.content.is_eof())


class _Opened:
    """An open connection."""

    def __init__(self, connection: ResponseHandler, connect_ns: int) -> None:
        self.connection = connection
        self.connect_ns: int | None = connect_ns
        self.idle_since_s = 0.0
        address = connection.transport.get_extra_info("peername") if connection.transport is not None else None
        self.peer = str(address[0]) if address else None


class UpstreamConnections:
    """The connections to one server. Belongs to one event loop."""

    def __init__(self, upstream: Upstream, tls: ssl.SSLContext | None = None) -> None:
        parts = urlsplit(upstream.origin)
        self._host = parts.hostname or ""
        self._port = parts.port or DEFAULT_PORTS[parts.scheme]
        self._tls = (tls or _default_tls()) if parts.scheme == "https" else None
        self._loop = asyncio.get_running_loop()
        self._idle: deque[_Opened] = deque()  # the one that was used last is the last
        self._in_use: set[_Opened] = set()
        self._connecting: set[asyncio.Task[_Opened]] = set()
        self._is_closed = False
        self._next_look: asyncio.TimerHandle | None = None

    async def ask(self, method: str, head: bytes, body: Body, sent: Callable[[], None]) -> Answer:
        """Sends a request and returns the head of its response.

        Raises UpstreamError if the server gives none, and what reading `body` raised."""
        may_repeat = method in _REPEATABLE and (body is None or isinstance(body, bytes))
        while True:
            opened = self._unused() or await self._open()
            self._in_use.add(opened)
            answer = Answer(self, opened)
            try:
                await answer.ask(method, head, body, sent)
                return answer
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
                answer.release()
                if not may_repeat:
                    raise UpstreamError(error) from None
                may_repeat = False  # the server closed the connection while it was idle, as it may
            except aiohttp.http.HttpProcessingError as error:
                answer.release()
                raise UpstreamError(_NOT_HTTP.format(type(error.__cause__ or error).__name__)) from None
            except aiohttp.ClientConnectionError as error:
                answer.release()
                raise UpstreamError(error) from None
            except BaseException:
                answer.release()
                raise

    def give_back(self, opened: _Opened, is_over: bool) -> None:
        """Keeps a connection for the next request, or closes it if it cannot serve one. `is_over`: the request was
        sent and its answer has come, both to their ends."""
        if opened not in self._in_use:
            return
        self._in_use.remove(opened)
        connection = opened.connection
        if self._is_closed or not is_over or connection.should_close or not connection.is_connected():
            connection.close()
            return
        opened.connect_ns = None
        opened.idle_since_s = self._loop.time()
        self._idle.append(opened)
        if self._next_look is None:
            self._next_look = self._loop.call_later(KEEP_ALIVE_S, self._close_idle)

    def close(self) -> None:
        self._is_closed = True
        for connecting in self._connecting:
            connecting.cancel()
        if self._next_look is not None:
            self._next_look.cancel()
        for opened in (*self._idle, *self._in_use):
            opened.connection.close()
        self._idle.clear()
        self._in_use.clear()

    def _unused(self) -> _Opened | None:
        earliest_s = self._loop.time() - KEEP_ALIVE_S
        while self._idle:
            opened = self._idle.pop()
            # `should_close` is true after bytes that nobody asked for: they would be the next request's answer
            if (
                opened.idle_since_s > earliest_s
                and opened.connection.is_connected()
                and not opened.connection.should_close
            ):
                return opened
            opened.connection.close()
        return None

    async def _open(self) -> _Opened:
        """Returns a new connection. A request that is given up meanwhile leaves it to the next one: asyncio loses a
        socket whose connecting is cancelled in the moment at which it succeeds, and the server keeps it open."""
        connecting = self._loop.create_task(self._connect())
        self._connecting.add(connecting)
        connecting.add_done_callback(self._connecting.discard)
        try:
            return await asyncio.shield(connecting)
        except asyncio.CancelledError:
            connecting.add_done_callback(self._keep)
            raise

    def _keep(self, connecting: asyncio.Task[_Opened]) -> None:
        if not connecting.cancelled() and connecting.exception() is None:
            self._in_use.add(opened := connecting.result())
            self.give_back(opened, is_over=True)

    async def _connect(self) -> _Opened:
        began_ns = time.monotonic_ns()
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                _, connection = await self._loop.create_connection(
                    lambda: ResponseHandler(self._loop),
                    self._host,
                    self._port,
                    ssl=self._tls,
                    happy_eyeballs_delay=_NEXT_ADDRESS_S,
                )
        except (OSError, TimeoutError, ValueError) as error:  # ValueError: a name that cannot be resolved
            raise UpstreamError(error) from None
        return _Opened(connection, time.monotonic_ns() - began_ns)

    def _close_idle(self) -> None:
        earliest_s = self._loop.time() - KEEP_ALIVE_S
        while self._idle and self._idle[0].idle_since_s <= earliest_s:
            self._idle.popleft().connection.close()
        self._next_look = None
        if self._idle:
            at_s = self._idle[0].idle_since_s + KEEP_ALIVE_S
            self._next_look = self._loop.call_at(at_s, self._close_idle)


def request_head(method: str, target: str, lines: list[str], body: Body, length: int | None) -> bytes:
    """The head of a request. `length` is that of a body which comes in parts, None if nobody knows it.

    Raises ValueError for a line that would end before its end."""
    if isinstance(body, bytes):
        framing = [f"Content-Length: {len(body)}"]
    elif body is not None:
        framing = ["Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"]
    else:
        framing = [] if method in _WITHOUT_BODY else ["Content-Length: 0"]
    all_lines = [f"{method} {target} HTTP/1.1", *lines, *framing, "", ""]
    head = "\r\n".join(all_lines)
    ends = len(all_lines) - 1
    if head.count("\r") != ends or head.count("\n") != ends or "\0" in head or " " in target:
        raise ValueError("a header or target with a line end in it")
    return head.encode("utf-8", "surrogateescape")  # as aiohttp decodes headers


def _has_text(headers: CIMultiDictProxy[str]) -> bool:
    """Whether aiohttp can write the headers: it leaves out bytes that are not UTF-8."""
    return all(value.isascii() or readable(value) == value for value in headers.values())


def _default_tls() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(("http/1.1",))
    return context
