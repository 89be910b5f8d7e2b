"""Makes a server odd in what clients accept: redirects, content codings, response ids of another type, log lines.

As a program it stands behind the output of a stdio server: `python oddity.py COMMAND…`. `Odd` wraps an ASGI app.
"""

from __future__ import annotations

import re
import subprocess
import sys
import zlib
from collections.abc import Awaitable, Callable, MutableMapping
from itertools import count
from typing import Any

Scope = MutableMapping[str, Any]
Send = Callable[[Any], Awaitable[None]]
Receive = Callable[[], Awaitable[Any]]

_RESPONSE_ID = re.compile(rb'("jsonrpc":\s?"2\.0",\s?"id":\s?)(\d+)(?=,\s?"(?:result|error)")')
_GZIP, _ZLIB, _RAW = 31, 15, -15
CODINGS: list[tuple[str | None, list[int]]] = [
    (None, []),
    ("gzip", [_GZIP]),
    ("deflate", [_RAW]),
    ("gzip, gzip", [_GZIP, _GZIP]),
    ("deflate", [_ZLIB]),
    ("deflate, gzip", [_ZLIB, _GZIP]),
]
"""What answers are coded in, in turn: the Content-Encoding, and the windows of zlib in the order of the coding."""
_LOG = '{"level":30,"time":1790000000000,"id":%s,"method":"tools/call","msg":"handled","result":{}}'


class Coder:
    """Codes a body part by part, so that each part can be read when it comes."""

    def __init__(self, windows: list[int]) -> None:
        self._stages = [zlib.compressobj(wbits=window) for window in windows]

    def part(self, body: bytes, is_last: bool) -> bytes:
        for stage in self._stages:
            body = stage.compress(body) + stage.flush(zlib.Z_FINISH if is_last else zlib.Z_SYNC_FLUSH)
        return body


class Odd:
    """An ASGI app around another one, whose MCP endpoint is /mcp."""

    def __init__(self, app: Callable[[Scope, Receive, Send], Awaitable[None]]) -> None:
        self._app = app
        self._requests = count()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST":
            return await self._app(scope, receive, send)
        number = next(self._requests)
        if scope["path"] == "/mcp" and number % 3:
            return await _redirected(receive, send, 307 if number % 2 else 308)
        inner = {**scope, "path": "/mcp", "raw_path": b"/mcp"} if scope["path"] == "/mcp/" else scope
        return await self._app(inner, receive, _OddSend(send, *CODINGS[number % len(CODINGS)]))


async def _redirected(receive: Receive, send: Send, status: int) -> None:
    while (await receive()).get("more_body"):
        pass
    headers = [(b"location", b"/mcp/"), (b"content-length", b"0")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


class _OddSend:
    """Sends an answer with other ids, in a coding; an event stream with events between that no client reads."""

    def __init__(self, send: Send, coding: str | None, windows: list[int]) -> None:
        self._send = send
        self._coding = coding
        self._coder = Coder(windows)
        self._is_events = self._is_odd = False

    async def __call__(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": self._headers(message)}
        elif message["type"] == "http.response.body" and self._is_odd:
            body = _RESPONSE_ID.sub(rb'\1"\2"', message.get("body", b""))
            if self._is_events and body.endswith(b"\n\n"):
                body = b"event: log\ndata: %b\n\n%b: and so on\n\n" % (_LOG.encode() % b"1", body)
            body = self._coder.part(body, not message.get("more_body"))
            message = {**message, "body": body}
        await self._send(message)

    def _headers(self, message: Any) -> list[tuple[bytes, bytes]]:
        headers = dict(message["headers"])
        kind = headers.get(b"content-type", b"")
        self._is_events = kind.startswith(b"text/event-stream")
        self._is_odd = message["status"] == 200 and (self._is_events or kind.startswith(b"application/json"))
        if not self._is_odd:
            return list(message["headers"])
        coded = [(b"content-encoding", self._coding.encode())] if self._coding else []
        return [*((name, value) for name, value in message["headers"] if name != b"content-length"), *coded]


def main(command: list[str]) -> int:
    """Passes a stdio server's lines on, with other ids in its responses, and log lines between."""
    with subprocess.Popen(command, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        for line in server.stdout:
            found = _RESPONSE_ID.search(line)
            log = _LOG % (found[2].decode() if found is not None else "null")
            odd = b"INFO handling\n" + log.encode() + b"\n" + _RESPONSE_ID.sub(rb'\1"\2"', line)
            sys.stdout.buffer.write(odd)
            sys.stdout.buffer.flush()
    return server.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
