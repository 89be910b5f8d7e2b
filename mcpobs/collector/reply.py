"""Writes a response in one write: aiohttp's own needs a separate write for the head and reveals the versions of Python
and aiohttp."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from aiohttp import web

if TYPE_CHECKING:
    from aiohttp.abc import AbstractStreamWriter

    from mcpobs.collector.connection import Connection

Header = tuple[bytes, bytes]

_STATUS_LINE: Final = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus}


def describing(content_type: bytes, content: bytes) -> list[Header]:
    """Returns the headers that describe a content."""
    return [(b"content-type", content_type), (b"content-length", str(len(content)).encode())]


def wire(status: int, headers: list[Header], content: bytes | None) -> bytes:
    """Returns a response's bytes. Without content for the response to a HEAD."""
    lines = b"".join([b"%s: %s\r\n" % header for header in headers])
    return b"%s%s\r\n%s" % (_STATUS_LINE[status], lines, content or b"")


class Reply(web.StreamResponse):
    """A response that its connection writes when aiohttp asks for it."""

    def __init__(
        self,
        connection: Connection,
        status: int,
        headers: list[Header],
        content: bytes = b"",
        *,
        ends: bool = False,
    ) -> None:
        super().__init__(status=status)
        self.given_headers = headers
        self.content = content
        self.ends = ends
        """Whether the connection ends with this response."""
        self._to = connection

    @property
    def keep_alive(self) -> bool | None:
        return not self.ends

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        self.ends = self._to.reply(self, request)
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        """Does nothing: the response is already written."""


class Silence(Reply):
    """No response: the client is gone, or the connection has refused its request."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection, 400, [], ends=True)

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        return None
