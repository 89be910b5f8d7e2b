"""What the front writes to stderr: never a line, header, URL or body of a request or response."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from aiohttp import web

from mcpobs.library_logs import replace_logs
from mcpobs.proxy.http.connections import Deadlines
from mcpobs.stderr import Once
from tests.ports import free_port
from tests.proxy.http.test_targets import raw_server, sent
from tests.proxy.http.world import world

SECRET = b"sk-4711-SECRET"
HEADS = (
    b"GET /x?key=%b HTTP/9.9\r\n\r\n",
    b"GET /%b\r\n\r\n",
    b"%b\r\n\r\n",
    b"\x16\x03\x01%b\r\n\r\n",
    b"GET / HTTP/1.1\r\nAuthorization: Bearer %b\x00\r\n\r\n",
    b"GET / HTTP/1.1\r\nAuthorization Bearer %b\r\n\r\n",
    b"GET / HTTP/1.1\r\nAuthorization: Bearer %b\r\n folded\r\n\r\n",
    b"GET / HTTP/1.1\r\nAuthorization\t: Bearer %b\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer \xff%b\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\n\xffX-%b: 1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Key: %b" + b"x" * 70_000 + b"\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: %b\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\nX: %b\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: %b\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n%b\r\n",
    b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n%b\r\n",
    b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Encoding: gzip\r\nContent-Length: 14\r\n\r\n%b",
    b"GET http://%b/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"CONNECT %b:1 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET x://%b HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nX: %b\r\n\r\n%b",
    b"GET / HTTP/1.1\r\nHost: localhost:%b\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: [%b\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nCookie: k=%b\r\nContent-Length: 5\r\n\r\nab",
)


def _filled(head: bytes) -> bytes:
    return head.replace(b"%b", SECRET)


def test_no_request_that_cannot_be_parsed_or_passed_on_shows_in_the_output(tmp_path: Path) -> None:
    port = free_port()
    command = [sys.executable, "-m", "mcpobs", "instrument", "--lake", str(tmp_path / "lake")]
    command += ["--listen", f"127.0.0.1:{port}", "--upstream", f"http://127.0.0.1:{free_port()}"]
    env = {**os.environ, "MCPOBS_CONFIG": str(tmp_path / "config")}
    front = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert front.stderr is not None
    try:
        assert b"passing" in front.stderr.readline()
        for head in HEADS:
            with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
                client.sendall(_filled(head))
                client.shutdown(socket.SHUT_WR)
                while client.recv(65_536):
                    pass
    finally:
        front.send_signal(signal.SIGTERM)
        out, err = front.communicate(timeout=30)
    assert SECRET not in out + err
    assert b"Traceback" not in err
    lines = err.decode().splitlines()
    assert lines
    assert all(line.startswith("mcpobs: ") for line in lines)
    assert len(set(lines)) == len(lines)  # each kind once


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 %b\r\n\r\n",
        b"%b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nSet-Cookie: %b\x00\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: %b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%b\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n%b",
        b"HTTP/1.1 200 OK\r\nX: \xff%b\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: http://[%b\r\nContent-Length: 0\r\n\r\n",
    ],
)
def test_nothing_of_a_broken_answer_shows_in_the_output(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], answer: bytes
) -> None:
    async def broken(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(_filled(answer))
        await writer.drain()
        writer.close()

    async def unused(request: web.BaseRequest) -> web.StreamResponse:
        raise AssertionError

    async def run() -> list[str]:
        listening = await asyncio.start_server(broken, "127.0.0.1", 0)
        async with listening:
            port = listening.sockets[0].getsockname()[1]
            async with world(tmp_path, unused, upstream=f"http://127.0.0.1:{port}") as w:
                await sent(w.url, b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                return w.warnings

    warnings = asyncio.run(run())
    shown = capfd.readouterr()
    assert SECRET.decode() not in shown.out + shown.err + "".join(warnings)
    assert "Traceback" not in shown.err


def test_a_head_that_cannot_be_passed_on_is_refused_and_the_next_one_goes_on(tmp_path: Path) -> None:
    async def unused(request: web.BaseRequest) -> web.StreamResponse:
        raise AssertionError

    async def run() -> None:
        async with raw_server() as upstream:
            soon = Deadlines(head_s=0.1, body_s=0.1, look_s=0.05)
            async with world(tmp_path, unused, upstream=f"http://{upstream.authority}", deadlines=soon) as w:
                for head in HEADS:
                    await sent(w.url, _filled(head).replace(b"\r\n", b"\r\nConnection: close\r\n", 1))
                good = b"GET /good HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
                assert (await sent(w.url, good)).startswith(b"HTTP/1.1 200")
                assert SECRET.decode() not in "".join(w.warnings)
            assert upstream.lines[-1] == b"GET /good HTTP/1.1"

    asyncio.run(run())


def test_a_library_that_logs_a_message_is_reported_by_its_kind_once() -> None:
    loggers = [logging.getLogger(name) for name in ("aiohttp", "asyncio")]
    before = [(logger, logger.handlers[:], logger.propagate) for logger in loggers]
    warnings: list[str] = []
    try:
        replace_logs(Once(warnings.append))
        for name in ("aiohttp.server", "aiohttp.access", "aiohttp.client", "asyncio"):
            for _ in range(2):
                try:
                    raise ValueError(SECRET)
                except ValueError:
                    logging.getLogger(name).exception("Error handling %s", SECRET)
                logging.getLogger(name).warning("Unclosed %s", SECRET)
                logging.getLogger(name).info("GET %s", SECRET)
    finally:
        for logger, handlers, propagate in before:
            logger.handlers[:] = handlers
            logger.propagate = propagate
    assert len(warnings) == 8
    assert SECRET.decode() not in "".join(warnings)
