"""Owns aiohttp's side of a connection: parses requests and runs the application. Never logs bytes from a peer."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from aiohttp import web

from mcpobs.collector import faults
from mcpobs.collector.limits import Limits

if TYPE_CHECKING:
    from mcpobs.collector.connection import Connection

_AHEAD_BYTES = 1 << 18
"""Bytes of a body buffered before the application reads them: as many as asyncio reads at a time. A pause costs two
system calls."""


class Requests(web.RequestHandler):
    """Receives one request at a time from its connection, which has the deadlines and bounds that aiohttp lacks."""

    def __init__(self, connection: Connection, server: web.Server, limits: Limits) -> None:
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            keepalive_timeout=2 * (limits.idle_s + limits.head_s),  # the connection is closed earlier
            tcp_keepalive=False,
            access_log=None,  # type: ignore[arg-type]  # documented: None is no access log
            auto_decompress=False,
            max_line_size=limits.head_bytes,  # the connection counts the whole head
            max_field_size=limits.head_bytes,
            max_headers=limits.head_bytes,
            lingering_time=limits.linger_s,
            read_bufsize=_AHEAD_BYTES // 2,
        )
        self.connection = connection

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answers a head that aiohttp could not parse, or a fault of the application. aiohttp itself would quote the
        head."""
        if status >= 500:
            if isinstance(exc, Exception):
                faults.log(exc)
            return self.connection.failed()
        return self.connection.misread()

    def log_exception(self, *args: object, **kw: object) -> None:
        error = kw.get("exc_info")
        if isinstance(error, Exception):
            faults.log(error)
