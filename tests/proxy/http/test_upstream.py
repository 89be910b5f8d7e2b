"""The front's connections to the server: used again while they are open, and never for a request that was half done."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

import pytest

from mcpobs.proxy.http import upstream as upstream_module
from mcpobs.proxy.http.targets import parse_upstream
from mcpobs.proxy.http.upstream import Answer, UpstreamConnections, UpstreamError, request_head
from tests.collector.certificates import Authority
from tests.proxy.http.test_targets import closed

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Server:
    """Answers each request with the next of some bytes; an answer of no bytes closes the connection."""

    def __init__(self, *answers: bytes) -> None:
        self._answers = list(answers)
        self.connections = 0
        self.requests: list[bytes] = []
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while self._answers:
                head = await reader.readuntil(b"\r\n\r\n")
                length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
                self.requests.append(head + await reader.readexactly(int(length or 0)))
                answer = self._answers.pop(0)
                if not answer:
                    return
                writer.write(answer)
                await writer.drain()
                if b"Connection: close" in answer or b"HTTP/1.0" in answer:
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            await closed(writer)


@asynccontextmanager
async def serving(
    *answers: bytes, tls: ssl.SSLContext | None = None, trust: ssl.SSLContext | None = None, host: str = "127.0.0.1"
) -> AsyncIterator[tuple[Server, UpstreamConnections]]:
    server = Server(*answers)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=tls)
    server.port = listening.sockets[0].getsockname()[1]
    connections = UpstreamConnections(parse_upstream(f"http{'s' if tls else ''}://{host}:{server.port}"), trust)
    async with listening:
        try:
            yield server, connections
        finally:
            connections.close()


async def _asked(connections: UpstreamConnections, method: str = "POST", body: bytes | None = b"{}") -> bytes:
    head = request_head(method, "/mcp", ["Host: h"], body, None)
    answer = await connections.ask(method, head, body, lambda: None)
    try:
        return await answer.content.read()
    finally:
        answer.release()


@pytest.mark.parametrize(
    ("answer", "connections"),
    [
        (OK, 1),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", 1),
        (b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + OK, 1),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok", 3),
        (b"HTTP/1.0 200 OK\r\n\r\nok", 3),
    ],
    ids=["length", "chunked", "early hints", "closing", "until the end"],
)
def test_a_connection_is_used_again_unless_the_server_closes_it(answer: bytes, connections: int) -> None:
    async def run() -> None:
        async with serving(*[answer] * 3) as (server, pool):
            for _ in range(3):
                assert await _asked(pool) == b"ok"
            assert server.connections == connections
            assert server.requests == [b"POST /mcp HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}"] * 3

    asyncio.run(run())


def test_requests_at_one_time_have_connections_of_their_own() -> None:
    async def run() -> None:
        async with serving(*[OK] * 8) as (server, pool):
            assert await asyncio.gather(*[_asked(pool) for _ in range(4)]) == [b"ok"] * 4
            assert server.connections == 4
            assert await asyncio.gather(*[_asked(pool) for _ in range(4)]) == [b"ok"] * 4
            assert server.connections == 4

    asyncio.run(run())


def test_a_connection_whose_answer_was_not_read_to_its_end_is_not_used_again() -> None:
    async def run() -> None:
        async with serving(b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nhalf", OK) as (server, pool):
            head = request_head("POST", "/mcp", ["Host: h"], b"{}", None)
            answer = await pool.ask("POST", head, b"{}", lambda: None)
            assert await answer.content.readany() == b"half"
            answer.release()
            assert await _asked(pool) == b"ok"
            assert server.connections == 2

    asyncio.run(run())


@pytest.mark.parametrize("pieces", [(OK + OK,), (OK, OK), (OK, b"HTTP/1.1 200")], ids=["at once", "later", "half"])
def test_bytes_that_nobody_asked_for_are_not_the_answer_to_the_next_request(pieces: tuple[bytes, ...]) -> None:
    unasked = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        tasks.append(asyncio.current_task())
        await reader.readuntil(b"{}")
        if connections > 1:
            writer.write(OK.replace(b"ok", b"2."))
        for place, piece in enumerate(pieces if connections == 1 else ()):
            if place:
                await unasked.wait()
            writer.write(piece)
        await reader.read()
        await closed(writer)

    async def run() -> None:
        listening = await asyncio.start_server(serve, "127.0.0.1", 0)
        pool = UpstreamConnections(parse_upstream(f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"))
        async with listening:
            assert await _asked(pool) == b"ok"
            (opened,) = pool._idle or [None]
            unasked.set()
            while opened is not None and opened.connection.is_connected() and not opened.connection.should_close:
                await asyncio.sleep(0)
            assert await _asked(pool) == b"2."
            pool.close()
            await asyncio.gather(*filter(None, tasks))

    connections = 0
    tasks: list[asyncio.Task[None] | None] = []
    asyncio.run(asyncio.wait_for(run(), 60))


@pytest.mark.parametrize("seed", range(6))
def test_each_request_gets_its_own_answer_wherever_others_are_given_up(seed: int) -> None:
    """The server names the request in its answer, which comes in pieces; clients go at any moment."""
    random = Random(seed)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.append(asyncio.current_task())
        try:
            while True:
                await reader.readuntil(b"\r\n\r\n")
                name = await reader.readexactly(4)
                answer = OK.replace(b"2", b"4").replace(b"ok", name)
                cut = random.randrange(len(answer))
                for piece in (b"", answer[:cut], answer[cut:]):
                    await asyncio.sleep(random.random() * 0.002)
                    writer.write(piece)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            await closed(writer)

    async def ask(pool: UpstreamConnections, number: int) -> bool:
        name = b"%04d" % number
        try:
            async with asyncio.timeout(None if number % 2 else random.random() * 0.006):
                assert await _asked(pool, body=name) == name
        except TimeoutError:
            return False
        return True

    async def run() -> None:
        listening = await asyncio.start_server(serve, "127.0.0.1", 0)
        pool = UpstreamConnections(parse_upstream(f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"))
        async with listening:
            answered = [await asyncio.gather(*[ask(pool, 4 * group + one) for one in range(4)]) for group in range(50)]
            while pool._connecting:  # of requests that were given up
                await asyncio.sleep(0)
            pool.close()
            await asyncio.gather(*filter(None, tasks))
        assert 100 < sum(map(sum, answered)) < 200  # all of those that waited, and not all of the others

    tasks: list[asyncio.Task[None] | None] = []
    asyncio.run(asyncio.wait_for(run(), 60))


def test_a_request_that_is_given_up_at_any_step_leaves_no_connection_that_nobody_owns() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.append(asyncio.current_task())
        await reader.read()  # until the end
        await closed(writer)

    async def run() -> None:
        listening = await asyncio.start_server(serve, "127.0.0.1", 0)
        for steps in range(40):
            pool = UpstreamConnections(parse_upstream(f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"))
            asking = asyncio.create_task(_asked(pool))
            for _ in range(steps):
                await asyncio.sleep(0)
            asking.cancel()
            await asyncio.wait([asking])
            while pool._connecting:
                await asyncio.sleep(0)
            assert len(pool._idle) + len(pool._in_use) <= 1
            pool.close()
        async with listening:
            await asyncio.gather(*filter(None, tasks))

    tasks: list[asyncio.Task[None] | None] = []
    asyncio.run(asyncio.wait_for(run(), 60))


def test_an_idle_connection_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upstream_module, "KEEP_ALIVE_S", 0.05)

    async def run() -> None:
        async with serving(OK, OK) as (server, pool):
            assert await _asked(pool) == b"ok"
            async with asyncio.timeout(10):
                while pool._idle:
                    await asyncio.sleep(0.01)
            assert await _asked(pool) == b"ok"
            assert server.connections == 2

    asyncio.run(run())


def test_a_get_is_asked_again_on_a_connection_that_the_server_closed_and_a_call_is_not() -> None:
    async def run() -> None:
        async with serving(OK, b"", OK, b"", OK) as (server, pool):
            assert await _asked(pool) == b"ok"
            assert await _asked(pool, "GET", None) == b"ok"
            with pytest.raises(UpstreamError, match="ServerDisconnectedError"):
                await _asked(pool)
            assert await _asked(pool) == b"ok"
            assert len(server.requests) == 5

    asyncio.run(run())


@pytest.mark.parametrize(
    "answer", [b"no HTTP\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", b"HTTP/1.1 200 OK\r\nX: "]
)
def test_an_answer_that_is_not_http_is_an_error(answer: bytes) -> None:
    async def run() -> None:
        async with serving(answer + b"Connection: close", OK) as (server, pool):
            with pytest.raises(UpstreamError):
                await _asked(pool)
            assert await _asked(pool) == b"ok"
            assert server.connections == 2

    asyncio.run(run())


def test_a_server_may_answer_before_it_has_the_whole_body() -> None:
    async def run() -> None:
        never = asyncio.Event()

        async def body() -> AsyncIterator[bytes]:
            yield b"begun"
            await never.wait()

        async with serving(OK, OK) as (server, pool):
            head = request_head("POST", "/mcp", ["Host: h"], body(), None)
            answer: Answer = await pool.ask("POST", head, body(), lambda: None)
            assert await answer.content.read() == b"ok"
            answer.release()
            assert await _asked(pool) == b"ok"
            assert server.connections == 2  # the first one still waited for the rest of the body

    asyncio.run(run())


def test_what_reading_a_body_raises_ends_the_request() -> None:
    async def run() -> None:
        async def body() -> AsyncIterator[bytes]:
            yield b"begun"
            raise TimeoutError

        async with serving(OK) as (_, pool):
            with pytest.raises(TimeoutError):
                await pool.ask("POST", request_head("POST", "/", ["Host: h"], body(), 10), body(), lambda: None)

    asyncio.run(run())


@pytest.mark.parametrize("trusted", [True, False])
def test_a_certificate_is_verified(tmp_path: Path, trusted: bool) -> None:
    async def run() -> None:
        authority = Authority(tmp_path, "authority")
        certificate, key = authority.sign("localhost")
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(certificate, key)
        trust = ssl.create_default_context(cafile=str(authority.file)) if trusted else None
        async with serving(OK, tls=tls, trust=trust, host="localhost") as (_, pool):
            if trusted:
                assert await _asked(pool) == b"ok"
            else:
                with pytest.raises(UpstreamError, match="SSLCertVerificationError"):
                    await _asked(pool)

    asyncio.run(run())
