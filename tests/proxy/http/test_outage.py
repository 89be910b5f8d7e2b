"""A server that cannot be reached is in the log once an outage, and so is its return."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

from mcpobs.proxy.http.outage import Outage
from tests.ports import free_port


def test_each_outage_is_one_line_and_its_end_another() -> None:
    said: list[str] = []
    outage = Outage("http://h:1", said.append)
    for _ in range(2):
        outage.answered()
        outage.failed("ConnectionRefusedError")
        outage.failed("TimeoutError")
        outage.answered()
    begun = "warning: http://h:1 does not answer: ConnectionRefusedError; requests get 502 until it does"
    assert said == [begun, "http://h:1 answers again; 2 requests got 502"] * 2


def test_the_front_logs_a_server_that_is_down_and_comes_back(tmp_path: Path) -> None:
    port, upstream = free_port(), free_port()
    command = [sys.executable, "-m", "mcpobs", "instrument", "--lake", str(tmp_path / "lake")]
    command += ["--listen", f"127.0.0.1:{port}", "--upstream", f"http://127.0.0.1:{upstream}"]
    env = {**os.environ, "MCPOBS_CONFIG": str(tmp_path / "config")}
    front = subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True)
    assert front.stderr is not None
    try:
        assert "passing" in front.stderr.readline()
        assert [_status(port), _status(port)] == [502, 502]
        assert asyncio.run(_with_server(upstream, port)) == 200
    finally:
        front.send_signal(signal.SIGTERM)
        _, err = front.communicate(timeout=30)
    lines = [line for line in err.splitlines() if f":{upstream}" in line]
    assert "does not answer: " in lines[0]
    assert lines[1:] == [f"mcpobs: http://127.0.0.1:{upstream} answers again; 2 requests got 502"]


def _status(port: int) -> int:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/mcp", timeout=20) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code


async def _with_server(upstream: int, port: int) -> int:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", upstream):
        return await asyncio.to_thread(_status, port)
