"""Unusual heads of requests and responses: each passes as it is, or is refused with a reason."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.proxy.http.world import World, call, result, world

BODY = json.dumps(call("search")).encode()
LENGTH = b"Content-Length: %d\r\n" % len(BODY)
CHUNKED = b"%x\r\n%b\r\n0\r\nX-After: 1\r\n\r\n" % (len(BODY), BODY)
WEBSOCKET = b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: eA==\r\n"

PASSING: dict[str, list[bytes]] = {
    "not UTF-8": [b"X-Own: caf\xe9 \xff"],
    "a user agent that is not UTF-8": [b"User-Agent: caf\xe9"],
    "a session that is not UTF-8": [b"Mcp-Session-Id: caf\xe9"],
    "a version that is not UTF-8": [b"Mcp-Protocol-Version: caf\xe9"],
    "a trace that is not UTF-8": [b"traceparent: 00-\xe9"],
    "names that are not UTF-8": [b"Mcp-Method: \xe9", b"Mcp-Name: \xe9"],
    "a token that is not UTF-8": [b"Authorization: Bearer \xe9"],
    "UTF-8": ["X-Own: é ü \u2028".encode()],
    "129 headers": [b"X-%d: 1" % number for number in range(129)],
    "1,000 headers": [b"X-%d: 1" % number for number in range(1_000)],
    "200 kB": [b"X-Own: " + b"y" * 200_000],
    "200 kB of a token": [b"Authorization: Bearer " + b"y" * 200_000],
    "400 kB in all": [b"X-%d: " % number + b"y" * 4_000 for number in range(100)],
    "many spaces": [b"X-Own: " + b" " * 60_000 + b"1"],
    "twice": [b"X-Own: 1", b"X-Own: 2"],
    "empty": [b"X-Own:"],
}
REFUSED: dict[str, tuple[bytes, int, str]] = {
    "a name that is not UTF-8": (b"X-\xe9: 1\r\n" + LENGTH, 400, "not valid HTTP"),
    "a folded line": (b"X-Own: 1\r\n 2\r\n" + LENGTH, 400, "not valid HTTP"),
    "a control character": (b"X-Own: \x01\r\n" + LENGTH, 400, "not valid HTTP"),
    "too many": (b"".join(b"X-%d: 1\r\n" % number for number in range(1_100)) + LENGTH, 431, "1024 headers"),
    "too large": (b"X-Own: " + b"y" * 300_000 + b"\r\n" + LENGTH, 431, "256 KiB"),
    "too large in all": (b"".join(b"X-%d: %b\r\n" % (n, b"y" * 9_000) for n in range(900)) + LENGTH, 431, "too large"),
    "trailers": (b"Trailer: X-After\r\nTransfer-Encoding: chunked\r\n", 501, "no trailers"),
    "a WebSocket": (WEBSOCKET, 501, "no WebSocket"),
}
ANSWERED: dict[str, bytes] = {
    "129 headers": b"".join(b"X-%d: 1\r\n" % number for number in range(129)),
    "1,000 headers": b"".join(b"X-%d: 1\r\n" % number for number in range(1_000)),
    "200 kB": b"X-Own: " + b"y" * 200_000 + b"\r\n",
    "UTF-8": "X-Own: é\r\n".encode(),
    "twice": b"X-Own: 1\r\nX-Own: 2\r\n",
}
NOT_PASSED_ON: dict[str, tuple[bytes, str]] = {
    "not UTF-8": (b"HTTP/1.1 200 OK\r\nX-Own: caf\xe9\r\nContent-Length: 0\r\n\r\n", "not UTF-8"),
    "a name that is not UTF-8": (b"HTTP/1.1 200 OK\r\nX-\xe9: 1\r\nContent-Length: 0\r\n\r\n", "not valid HTTP"),
    "too large": (b"HTTP/1.1 200 OK\r\nX-Own: %b\r\nContent-Length: 0\r\n\r\n" % (b"y" * 300_000), "256 KiB"),
    "a switch of protocols": (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", "another protocol"),
    "no HTTP": (b"SSH-2.0-OpenSSH\r\n\r\n", "not valid HTTP"),
}


async def _never(request: web.BaseRequest) -> web.StreamResponse:
    raise AssertionError("the raw server is the upstream")


@asynccontextmanager
async def _raw(tmp_path: Path, head: bytes | None = None) -> AsyncIterator[tuple[World, list[bytes]]]:
    """A front before a server that keeps the heads it gets, and answers with this head (of a call's answer)."""
    heads: list[bytes] = []
    answer = json.dumps(result()).encode()
    own = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n" % len(answer)

    whole = head if head is not None and b"\r\n\r\n" in head else own + (head or b"") + b"\r\n" + answer

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                heads.append(await reader.readuntil(b"\r\n\r\n"))
                await reader.readexactly(len(BODY))
                writer.write(whole)
                await writer.drain()
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    tasks: set[Any] = set()
    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=1 << 22)
    port = server.sockets[0].getsockname()[1]
    async with world(tmp_path, _never, upstream=f"http://127.0.0.1:{port}") as w:
        yield w, heads
    server.close()
    await asyncio.gather(*tasks)


async def _asked(url: str, head: bytes, body: bytes = BODY) -> tuple[bytes, bytes]:
    """Sends a POST with the head, and returns head and body of the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]), limit=1 << 22)
    try:
        writer.write(
            b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n" + head + b"\r\n" + body
        )
        answer = await reader.readuntil(b"\r\n\r\n")
        length = next(line for line in answer.lower().split(b"\r\n") if line.startswith(b"content-length"))
        return answer, await reader.readexactly(int(length.partition(b":")[2]))
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


def _error(body: bytes) -> Any:
    return json.loads(body)["error"]["message"]


@pytest.mark.parametrize("name", PASSING)
def test_the_head_of_a_request_passes_byte_for_byte_and_its_call_is_recorded(tmp_path: Path, name: str) -> None:
    async def run() -> None:
        async with _raw(tmp_path) as (w, heads):
            lines = PASSING[name]
            head, body = await _asked(w.url, b"".join(line + b"\r\n" for line in lines) + LENGTH)
            assert head.startswith(b"HTTP/1.1 200"), body
            got = heads[0].split(b"\r\n")
            for line in lines:
                assert b": ".join(part.strip() for part in line.split(b":", 1)) in got
            await w.until(lambda: len(w.requests()) == 1)
            assert [row["outcome"] for row in w.operations()] == ["ok"]
            assert w.warnings == []

    asyncio.run(run())


@pytest.mark.parametrize("name", REFUSED)
def test_a_request_that_cannot_pass_as_it_is_is_refused_with_a_reason(tmp_path: Path, name: str) -> None:
    head, status, why = REFUSED[name]

    async def run() -> None:
        async with _raw(tmp_path) as (w, heads):
            answer, body = await _asked(w.url, head, CHUNKED if b"chunked" in head else BODY)
            assert int(answer.split(b" ")[1]) == status
            assert why in _error(body)
            assert heads == []

    asyncio.run(run())


@pytest.mark.parametrize("name", ANSWERED)
def test_the_head_of_a_response_passes(tmp_path: Path, name: str) -> None:
    async def run() -> None:
        async with _raw(tmp_path, ANSWERED[name]) as (w, _):
            head, body = await _asked(w.url, LENGTH)
            assert head.startswith(b"HTTP/1.1 200"), body
            assert set(ANSWERED[name].split(b"\r\n")) <= set(head.split(b"\r\n"))
            assert [row["outcome"] for row in w.operations()] == ["ok"]

    asyncio.run(run())


@pytest.mark.parametrize("name", NOT_PASSED_ON)
def test_a_response_that_cannot_pass_as_it_is_is_refused_with_a_reason(tmp_path: Path, name: str) -> None:
    head, why = NOT_PASSED_ON[name]

    async def run() -> None:
        async with _raw(tmp_path, head) as (w, _):
            answer, body = await _asked(w.url, LENGTH)
            assert answer.startswith(b"HTTP/1.1 502")
            assert why in _error(body)
            assert [row["outcome"] for row in w.operations()] == ["server_error"]

    asyncio.run(run())


def test_a_response_with_trailers_passes_without_them_and_says_so_once(tmp_path: Path) -> None:
    answer = json.dumps(result()).encode()
    head = (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTrailer: X-After\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    whole = head + b"%x\r\n%b\r\n0\r\nX-After: 1\r\n\r\n" % (len(answer), answer)

    async def run() -> None:
        async with _raw(tmp_path, whole) as (w, _):
            for _ in range(2):
                async with w.client.post(w.url + "/mcp", data=BODY) as response:
                    assert await response.read() == answer
                    assert "Trailer" not in response.headers
            assert [row["outcome"] for row in w.operations()] == ["ok", "ok"]
            assert w.warnings == ["warning: the server sends trailers, and clients get its answers without them"]

    asyncio.run(run())
