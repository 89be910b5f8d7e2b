"""Measures the HTTP front beside a plain reverse proxy of aiohttp that looks at nothing: CPU and wall clock a call.

    python -m bench.http_front [--rounds 5] [--calls 320] [--clients 1,16,64] [--sizes 40,1024,65536]

The CPU is that of the proxy's process (user and system, by the kernel's scheduler). The ways are interleaved block by
block, and each block sends the same calls over connections that are already open. Server, proxies and client share the
machine's cores, so a wall clock says more of the machine than of the proxy.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from aiohttp import web

ROOT = Path(__file__).parents[1]
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "bench", "version": "1"},
}
AIM = 1.4


@dataclass
class Way:
    """A place that calls are sent to, and what they took there."""

    name: str
    port: int
    pid: int
    cpu_us: list[float] = field(default_factory=list)
    p50_us: list[float] = field(default_factory=list)
    p95_us: list[float] = field(default_factory=list)


# -- the server and the rival, each a process of its own ----------------------------------------------------


def server(port: int) -> None:
    """Answers with as many bytes of text as the path says: `/json/40`, `/sse/1024`."""
    bodies: dict[str, bytes] = {}

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        await request.read()
        _, kind, size = request.path.split("/")
        if size not in bodies:
            content = [{"type": "text", "text": ("42 customers, the first is 7; " * 3000)[: int(size)]}]
            result = {"resultType": "complete", "content": content}
            bodies[size] = json.dumps({"jsonrpc": "2.0", "id": 1, "result": result}).encode()
        if kind == "json":
            return web.Response(body=bodies[size], content_type="application/json")
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b"event: message\ndata: " + bodies[size] + b"\n\n")
        return response

    _serve(handle, port)


def plain_proxy(port: int, upstream: str) -> None:
    """The least that a reverse proxy can do with aiohttp."""

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        assert client is not None
        body = await request.read()
        async with client.request(
            request.method, upstream + request.raw_path, data=body, headers=request.headers
        ) as answer:
            if answer.content_length is not None:
                return web.Response(status=answer.status, headers=answer.headers, body=await answer.read())
            headers = {name: value for name, value in answer.headers.items() if name != "Transfer-Encoding"}
            response = web.StreamResponse(status=answer.status, headers=headers)
            await response.prepare(request)
            async for chunk in answer.content.iter_any():
                await response.write(chunk)
            return response

    client: aiohttp.ClientSession | None = None

    async def begin() -> None:
        nonlocal client
        client = aiohttp.ClientSession(auto_decompress=False, connector=aiohttp.TCPConnector(limit=0))

    _serve(handle, port, begin)


def _serve(
    handle: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]],
    port: int,
    begin: Callable[[], Awaitable[None]] | None = None,
) -> None:
    async def run() -> None:
        if begin is not None:
            await begin()
        runner = web.ServerRunner(web.Server(handle, auto_decompress=False))
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        await asyncio.Event().wait()

    asyncio.run(run())


# -- the client -----------------------------------------------------------------------------------------------


class Client(asyncio.Protocol):
    """One connection that sends a request made of bytes once and finds the end of each answer, and no more."""

    def __init__(self) -> None:
        self._answer = bytearray()
        self._ended: asyncio.Future[None] | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        if self._ended is not None and not self._ended.done():
            self._ended.set_exception(ConnectionError("the proxy closed the connection"))

    def data_received(self, data: bytes) -> None:
        self._answer += data
        if self._is_whole() and self._ended is not None and not self._ended.done():
            self._ended.set_result(None)

    def _is_whole(self) -> bool:
        head, found, body = self._answer.partition(b"\r\n\r\n")
        if not found:
            return False
        at = head.lower().find(b"\r\ncontent-length:")
        if at < 0:
            return body.endswith(b"0\r\n\r\n")
        return len(body) >= int(head[at + 17 :].partition(b"\r\n")[0])

    async def call(self, request: bytes) -> float:
        """Returns how many seconds the answer took."""
        self._answer.clear()
        self._ended = asyncio.get_running_loop().create_future()
        assert self._transport is not None
        started = time.perf_counter()
        self._transport.write(request)
        await self._ended
        took = time.perf_counter() - started
        assert self._answer.startswith(b"HTTP/1.1 200 ")
        assert b"42 customers" in self._answer
        return took

    def close(self) -> None:
        assert self._transport is not None
        self._transport.close()


def _request(port: int, path: str, n: int) -> bytes:
    params = {"name": "search", "arguments": {"query": f"customer {n % 50}", "limit": 5}, "_meta": META}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).encode()
    return (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept: application/json, text/event-stream\r\n"
        "Accept-Encoding: gzip, deflate\r\nUser-Agent: python-httpx/0.28.1\r\nConnection: keep-alive\r\n"
        "mcp-protocol-version: 2026-07-28\r\nmcp-method: tools/call\r\nmcp-name: search\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body


async def _block(way: Way, clients: list[Client], path: str, calls: int) -> list[float]:
    requests = [_request(way.port, path, n) for n in range(50)]

    async def one(client: Client) -> list[float]:
        return [await client.call(requests[n % 50]) for n in range(calls // len(clients))]

    found = await asyncio.gather(*map(one, clients))
    return [took for times in found for took in times]


async def _measure(ways: list[Way], rounds: int, calls: int, clients: int, path: str) -> None:
    loop = asyncio.get_running_loop()
    connections = {}
    for way in ways:
        opened = [await loop.create_connection(Client, "127.0.0.1", way.port) for _ in range(clients)]
        connections[way.name] = [client for _, client in opened]
        await _block(way, connections[way.name], path, max(2 * clients, 40))
    for _ in range(rounds):
        for way in ways:
            before = _cpu_ns(way.pid)
            times = await _block(way, connections[way.name], path, calls)
            way.cpu_us.append((_cpu_ns(way.pid) - before) / len(times) / 1e3)
            way.p50_us.append(statistics.median(times) * 1e6)
            way.p95_us.append(statistics.quantiles(times, n=20)[18] * 1e6)
    for opened in connections.values():
        for client in opened:
            client.close()


def _cpu_ns(pid: int) -> int:
    """Nanoseconds that the process's threads ran, in user and system mode (proc(5), schedstat)."""
    found = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += int((task / "schedstat").read_text().split()[0])
    return found


def run(rounds: int, calls: int, clients: list[int], sizes: list[int]) -> str:
    ports = _free_ports(3)
    at = [f"http://127.0.0.1:{port}" for port in ports]
    me = [sys.executable, "-m", "bench.http_front"]
    env = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    env["PYTHONPATH"] = str(ROOT)  # the front of this tree, whichever is installed
    lines = [
        f"CPU µs a call of the proxy's process; median of {rounds} interleaved rounds of {calls} calls. The last column"
        f" is to be at most {AIM}.\n",
        "| answer | bytes | clients | plain proxy | again (A/A) | front | front p50 / p95 µs | plain p50 / p95 µs "
        "| front ÷ plain |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    with tempfile.TemporaryDirectory() as folder:
        front = [sys.executable, "-m", "mcpobs", "instrument", "--listen", at[2].removeprefix("http://")]
        commands = [
            [*me, "--serve", str(ports[0])],
            [*me, "--proxy", str(ports[1]), at[0]],
            [*front, "--upstream", at[0], "--lake", folder + "/lake"],
        ]
        env["MCPOBS_CONFIG"] = folder
        processes = [subprocess.Popen(command, env=env, cwd=ROOT, stderr=subprocess.DEVNULL) for command in commands]
        try:
            for port in ports:
                _wait_for(port)
            for kind in ("json", "sse"):
                for size in sizes:
                    for count in clients:
                        ways = [
                            Way("plain", ports[1], processes[1].pid),
                            Way("front", ports[2], processes[2].pid),
                            Way("plain again", ports[1], processes[1].pid),
                        ]
                        asyncio.run(_measure(ways, rounds, calls, count, f"/{kind}/{size}"))
                        lines.append(_row(kind, size, count, *ways))
        finally:
            for process in processes:
                process.terminate()
            for process in processes:
                process.wait(timeout=20)
    return "\n".join(lines) + "\n"


def _row(kind: str, size: int, clients: int, plain: Way, front: Way, again: Way) -> str:
    ratio = statistics.median(
        ours / ((one + other) / 2) for one, ours, other in zip(plain.cpu_us, front.cpu_us, again.cpu_us, strict=True)
    )
    cpu = " | ".join(f"{statistics.median(way.cpu_us):.0f}" for way in (plain, again, front))
    wall = " | ".join(
        f"{statistics.median(way.p50_us):.0f} / {statistics.median(way.p95_us):.0f}" for way in (front, plain)
    )
    return f"| {kind} | {size} | {clients} | {cpu} | {wall} | {ratio:.2f} |"


def _free_ports(count: int) -> list[int]:
    import socket

    bound = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports: list[int] = [one.getsockname()[1] for one in bound]
    for one in bound:
        one.close()
    return ports


def _wait_for(port: int) -> None:
    import socket

    for _ in range(300):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise TimeoutError(port)


def _numbers(text: str) -> list[int]:
    return [int(word) for word in text.split(",")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=320, help="of a block, divided among its clients")
    parser.add_argument("--clients", type=_numbers, default=[1, 16, 64])
    parser.add_argument("--sizes", type=_numbers, default=[40, 1024, 65536])
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--proxy", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        server(given.serve)
    elif given.proxy:
        plain_proxy(int(given.proxy[0]), given.proxy[1])
    else:
        print(run(given.rounds, given.calls, given.clients, given.sizes))


if __name__ == "__main__":
    main()
