"""The HTTP front under load: streams by the thousand, slow readers, a server that is killed. Nothing hangs, memory
stays within bounds, and everything is recorded.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from mcpobs.segment import scan
from tests.ports import free_port
from tests.proxy.http.world import call
from tests.soak.http_upstream import LARGE_BYTES

pytestmark = [
    pytest.mark.soak,
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
]
ROOT = Path(__file__).parents[2]


@dataclass
class Stage:
    url: str
    client: aiohttp.ClientSession
    lake: Path
    front: subprocess.Popen[bytes]
    upstream: subprocess.Popen[bytes]

    def memory_mib(self) -> float:
        status = Path(f"/proc/{self.front.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1024

    def rows(self) -> list[dict[str, Any]]:
        files = (self.lake / "spool").iterdir()
        return [json.loads(row) for file in files for row in scan(file.read_bytes()).rows]

    async def until_rows(self, wanted: int) -> list[dict[str, Any]]:
        for _ in range(600):
            rows = self.rows()
            if len(rows) >= wanted:
                return rows
            await asyncio.sleep(0.1)
        raise AssertionError(f"{len(self.rows())} rows, {wanted} expected")


@asynccontextmanager
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    ports = free_port(), free_port()
    lake = tmp_path / "lake"
    env = {**os.environ, "MCPOBS_CONFIG": str(tmp_path / "config")}
    command = [sys.executable, "-m", "mcpobs", "instrument", "--lake", str(lake), "--listen", f"127.0.0.1:{ports[1]}"]
    upstream = subprocess.Popen([sys.executable, "-m", "tests.soak.http_upstream", str(ports[0])], cwd=ROOT)
    front = subprocess.Popen([*command, "--upstream", f"http://127.0.0.1:{ports[0]}"], env=env)
    try:
        for port in ports:
            await _until_open(port)
        connector = aiohttp.TCPConnector(limit=0, force_close=True)
        timeout = aiohttp.ClientTimeout(total=120)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout, read_bufsize=1 << 12) as client:
            yield Stage(f"http://127.0.0.1:{ports[1]}", client, lake, front, upstream)
        front.terminate()
        assert front.wait(timeout=60) == 0
    finally:
        for process in (front, upstream):
            process.kill()
            process.wait()


async def _until_open(port: int) -> None:
    for _ in range(600):
        with suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            return
        await asyncio.sleep(0.05)
    raise TimeoutError(port)


def _streams_at_most() -> int:
    """Each takes two of the front's files; the client of this test has one for each. A peer may have 8,192."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return min(8_000, hard // 2 - 200)


def test_thousands_of_idle_streams_cost_little_and_calls_go_on(tmp_path: Path) -> None:
    count = _streams_at_most()

    async def run() -> None:
        async with stage(tmp_path) as s:
            before = s.memory_mib()
            few = asyncio.Semaphore(200)

            async def stream(number: int) -> aiohttp.ClientResponse:
                async with few:
                    headers = {"Mcp-Session-Id": f"s{number}"}
                    response = await s.client.get(s.url + "/idle", headers=headers)
                    assert await response.content.readuntil(b"\n\n") == b": hello\n\n"
                    return response

            streams = await asyncio.gather(*(stream(number) for number in range(count)))
            grown = s.memory_mib() - before
            async with s.client.post(s.url, json=call("search")) as response:
                assert response.status == 200
            print(f"\n{count} idle streams: {grown:.0f} MiB more, {grown * 1024 / count:.0f} KiB each")
            assert grown * 1024 / count < 64
            for response in streams:
                response.close()
            rows = await s.until_rows(count + 2)
            assert Counter(json.loads(row["attributes"]).get("mcpobs.http.ended") for row in rows) == {
                "client_disconnect": count,
                "complete": 1,
                None: 1,
            }

    asyncio.run(run())


def test_five_hundred_calls_in_flight_at_once(tmp_path: Path) -> None:
    async def run() -> None:
        async with stage(tmp_path) as s:

            async def one(number: int) -> None:
                message = call("search", number)
                message["params"]["arguments"] = {"wait_s": 2, "events": number % 2 == 0}
                async with s.client.post(s.url, json=message) as response:
                    assert b"found" in await response.read()

            await asyncio.gather(*(one(number) for number in range(500)))
            rows = await s.until_rows(1000)
            calls = Counter(row["request_id"] for row in rows if row.get("outcome") == "ok")
            assert calls == {str(number): 1 for number in range(500)}

    asyncio.run(run())


def test_a_reader_of_a_byte_a_second_holds_the_server_back_and_no_memory(tmp_path: Path) -> None:
    async def run() -> None:
        async with stage(tmp_path) as s:
            before = s.memory_mib()
            port = int(s.url.rsplit(":", 1)[1])
            slow = []
            for _ in range(20):
                reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1)
                writer.write(b"GET /large HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
                slow.append((reader, writer))
            for _ in range(8):
                for reader, _writer in slow:
                    await reader.readexactly(1)
                await asyncio.sleep(1)
            grown = s.memory_mib() - before
            print(f"\n20 slow readers of {LARGE_BYTES >> 20} MiB each: {grown:.0f} MiB more")
            assert grown < 64
            async with s.client.post(s.url, json=call("search")) as response:
                assert response.status == 200
            for _, writer in slow:
                writer.transport.abort()
            rows = await s.until_rows(22)
            ended = Counter(json.loads(row["attributes"]).get("mcpobs.http.ended") for row in rows)
            assert ended["client_disconnect"] == 20

    asyncio.run(run())


def test_a_server_that_is_killed_in_the_middle_of_its_streams(tmp_path: Path) -> None:
    async def run() -> None:
        async with stage(tmp_path) as s:

            async def one(number: int) -> str:
                message = call("search", number)
                message["params"]["arguments"] = {"wait_s": 60, "events": True}
                try:
                    async with s.client.post(s.url, json=message) as response:
                        await response.content.readuntil(b"\n\n")
                        await response.read()
                except aiohttp.ClientError:
                    return "broken off"
                return "complete"

            calls = [asyncio.create_task(one(number)) for number in range(200)]
            await asyncio.sleep(4)
            s.upstream.kill()
            assert set(await asyncio.wait_for(asyncio.gather(*calls), 30)) == {"broken off"}
            async with s.client.post(s.url, json=call("search", 999)) as response:
                assert response.status == 502
            rows = [row for row in await s.until_rows(402) if "method" in row]
            assert Counter((row["outcome"], row.get("error_type")) for row in rows) == {
                ("unfinished", "server_exit"): 200,
                ("server_error", "unreachable"): 1,
            }

    asyncio.run(run())
