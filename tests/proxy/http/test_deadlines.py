"""Connections that make no progress are closed; long calls, standing streams and slow readers stay."""

from __future__ import annotations

import asyncio
import socket
from contextlib import closing, suppress
from pathlib import Path

import pytest
from aiohttp import web
from yarl import URL

from mcpobs.proxy.http.connections import Deadlines
from tests.proxy.http.test_targets import closed, sent
from tests.proxy.http.world import World, event, result, world

SOON = Deadlines(head_s=0.2, body_s=0.2, body_bytes_per_s=1000, idle_s=0.3, stalled_s=0.3, look_s=0.05)
HEAD = b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
LARGE = 16 << 20  # more than the kernel keeps for a client that does not read


async def _echo(request: web.BaseRequest) -> web.StreamResponse:
    return web.Response(body=await request.read())


async def _opened(w: World) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    at = URL(w.url)
    return await asyncio.open_connection(at.host, at.port)


@pytest.mark.parametrize(
    "half",
    [b"", b"G", b"POST /mcp HTTP/1.1\r\n", HEAD, HEAD + b"Content-Length: 1\r\n", b"\r\n\r\n\r\n"],
    ids=["nothing", "a letter", "a line", "headers", "all but the end", "blank lines"],
)
def test_a_head_that_does_not_end_is_answered_408(tmp_path: Path, half: bytes) -> None:
    async def run() -> None:
        async with world(tmp_path, _echo, deadlines=SOON) as w:
            assert (await sent(w.url, half)).startswith(b"HTTP/1.1 408 ")
            assert w.front.connections.closed == {"sent no whole head": 1}
            assert len(w.front.connections) == 0

    asyncio.run(run())


@pytest.mark.parametrize(
    "begun",
    [
        b"Content-Length: 10\r\n\r\n{",
        b"Content-Length: 3000000\r\n\r\n{",
        b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n5\r\n{",
    ],
    ids=["small", "large", "chunked", "no chunk", "half a chunk"],
)
def test_a_body_that_stops_is_answered_408_and_recorded(tmp_path: Path, begun: bytes) -> None:
    async def run() -> None:
        async with world(tmp_path, _echo, deadlines=SOON) as w:
            assert (await sent(w.url, HEAD + begun)).startswith(b"HTTP/1.1 408 ")
            await w.until(lambda: len(w.requests()) == 1)
            (row,) = w.requests()
            assert (row["http_status"], row["mcpobs.http.rejection"]) == (408, "request_timeout")

    asyncio.run(run())


def test_a_body_that_comes_byte_by_byte_is_ended(tmp_path: Path) -> None:
    async def run() -> None:
        async with world(tmp_path, _echo, deadlines=SOON) as w:
            reader, writer = await _opened(w)
            writer.write(HEAD + b"Content-Length: 100000\r\n\r\n")
            answer = asyncio.create_task(reader.read())
            while not answer.done():  # far below the least rate, and never silent
                writer.write(b" ")
                await asyncio.sleep(0.02)
            assert answer.result().startswith(b"HTTP/1.1 408 ")
            await closed(writer)

    asyncio.run(run())


def test_a_slow_body_above_the_least_rate_is_passed_on(tmp_path: Path) -> None:
    async def run() -> None:
        async with world(tmp_path, _echo, deadlines=SOON) as w:
            reader, writer = await _opened(w)
            writer.write(HEAD + b"Connection: close\r\nContent-Length: 5000\r\n\r\n")
            for _ in range(25):  # takes longer than `body_s` in all
                writer.write(b"x" * 200)
                await asyncio.sleep(0.02)
            assert (await reader.read()).endswith(b"x" * 5000)
            await closed(writer)

    asyncio.run(run())


def test_an_idle_connection_is_closed_while_a_long_call_and_a_stream_go_on(tmp_path: Path) -> None:
    async def run() -> None:
        idle_is_closed = asyncio.Event()

        async def slow(request: web.BaseRequest) -> web.StreamResponse:
            if request.method == "GET":
                stream = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
                await stream.prepare(request)
                await idle_is_closed.wait()
                await stream.write(event(result()))
                return stream
            if request.path == "/long":
                await idle_is_closed.wait()
            return web.json_response(result())

        async with world(tmp_path, slow, deadlines=SOON) as w:
            long = asyncio.create_task(sent(w.url, HEAD.replace(b"/mcp", b"/long") + b"Connection: close\r\n\r\n"))
            stream = asyncio.create_task(
                sent(w.url, b"GET /mcp HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            )
            idle = await sent(w.url, HEAD + b"\r\n")  # returns when the front has closed it
            idle_is_closed.set()
            assert idle.startswith(b"HTTP/1.1 200 ")
            assert b'"found"' in await long
            assert b'"found"' in await stream
            assert w.front.connections.closed == {"idle": 1}

    asyncio.run(run())


@pytest.mark.parametrize("whole", [True, False])
def test_a_client_that_never_reads_loses_its_connection(tmp_path: Path, whole: bool) -> None:
    async def large(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": str(LARGE)} if whole else {})
        await response.prepare(request)
        for _ in range(LARGE >> 16):
            await response.write(b"x" * (1 << 16))
        return response

    async def run() -> None:
        async with world(tmp_path, large, deadlines=SOON) as w:
            at = URL(w.url)
            with closing(socket.create_connection((at.host or "", at.port or 0))) as client:
                client.sendall(HEAD + b"\r\n")
                await w.until(lambda: w.front.connections.closed["took nothing"] == 1)
                await w.until(lambda: len(w.requests()) == 1)
                assert w.requests()[0]["mcpobs.http.ended"] == "client_disconnect"

    asyncio.run(run())


def test_a_slow_reader_gets_everything(tmp_path: Path) -> None:
    async def large(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(body=b"x" * LARGE)

    async def run() -> None:
        async with world(tmp_path, large, deadlines=SOON) as w:
            reader, writer = await _opened(w)
            writer.write(HEAD + b"Connection: close\r\n\r\n")
            await reader.readuntil(b"\r\n\r\n")
            read = 0
            while part := await reader.read(1 << 20):
                read += len(part)
                await asyncio.sleep(0.01)
            assert read == LARGE
            await closed(writer)

    asyncio.run(run())


def test_one_peer_cannot_hold_more_waiting_connections_than_allowed(tmp_path: Path) -> None:
    limits = Deadlines(waiting_per_peer=3)

    async def run() -> None:
        async with world(tmp_path, _echo, deadlines=limits) as w:
            held = [await _opened(w) for _ in range(3)]
            await w.until(lambda: len(w.front.connections) == 3)
            assert (await sent(w.url, HEAD + b"Connection: close\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
            assert w.front.connections.closed == {"made room for another": 1}
            with suppress(ConnectionError):  # the one that waited longest
                assert await held[0][0].read() == b""
            for reader, writer in held[1:]:
                writer.write(HEAD + b"Connection: close\r\n\r\n")
                assert (await reader.read()).startswith(b"HTTP/1.1 200 ")
            for _, writer in held:
                await closed(writer)

    asyncio.run(run())


@pytest.mark.parametrize("limits", [Deadlines(per_peer=2), Deadlines(total=2)], ids=["of one peer", "in all"])
def test_beyond_the_most_connections_with_a_request_a_further_one_is_refused(tmp_path: Path, limits: Deadlines) -> None:
    async def run() -> None:
        go_on = asyncio.Event()

        async def waits(request: web.BaseRequest) -> web.StreamResponse:
            await go_on.wait()
            return web.Response(body=b"ok")

        async with world(tmp_path, waits, deadlines=limits) as w:
            under_way = [asyncio.create_task(sent(w.url, HEAD + b"Connection: close\r\n\r\n")) for _ in range(2)]
            await w.until(lambda: len(w.front._under_way) == 2)
            assert (await sent(w.url, HEAD + b"\r\n")).startswith(b"HTTP/1.1 503 ")
            go_on.set()
            assert all([(await one).startswith(b"HTTP/1.1 200 ") for one in under_way])
            assert (await sent(w.url, HEAD + b"Connection: close\r\n\r\n")).startswith(b"HTTP/1.1 200 ")

    asyncio.run(run())
