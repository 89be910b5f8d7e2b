"""What the HTTP front adds to a call, beside no proxy and a plain reverse proxy of aiohttp that looks at nothing.

    python -m bench.http_front [--rounds 9] [--calls 300]

One client with one connection asks an aiohttp server that answers at once; the ways are interleaved block by block.
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
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web

ANSWER = {
    "jsonrpc": "2.0",
    "id": 1,
    "result": {"resultType": "complete", "content": [{"type": "text", "text": "42 customers, the first is 7"}]},
}
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "bench", "version": "1"},
}


@dataclass
class Way:
    name: str
    port: int
    p50_us: list[float] = field(default_factory=list)
    p95_us: list[float] = field(default_factory=list)


# -- the server and the rival, each a process of its own ----------------------------------------------------


def server(port: int, streamed: bool) -> None:
    body = json.dumps(ANSWER).encode()

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        await request.read()
        if not streamed:
            return web.Response(body=body, content_type="application/json")
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b"event: message\ndata: " + body + b"\n\n")
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


def _serve(handle, port: int, begin=None) -> None:
    async def run() -> None:
        if begin is not None:
            await begin()
        runner = web.ServerRunner(web.Server(handle, auto_decompress=False))
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        await asyncio.Event().wait()

    asyncio.run(run())


# -- the client -----------------------------------------------------------------------------------------------


async def _block(client: aiohttp.ClientSession, way: Way, calls: int) -> None:
    times = []
    for n in range(calls + 20):
        params = {"name": "search", "arguments": {"query": f"customer {n % 50}", "limit": 5}, "_meta": META}
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        started = time.perf_counter()
        async with client.post(f"http://127.0.0.1:{way.port}/mcp", json=message) as response:
            body = await response.read()
        if n >= 20:  # the first ones connect
            times.append(time.perf_counter() - started)
        assert b"42 customers" in body
    way.p50_us.append(statistics.median(times) * 1e6)
    way.p95_us.append(statistics.quantiles(times, n=20)[18] * 1e6)


async def _measure(ways: list[Way], rounds: int, calls: int) -> None:
    async with aiohttp.ClientSession() as client:
        for _ in range(rounds):
            for way in ways:
                await _block(client, way, calls)


def run(rounds: int, calls: int) -> str:
    parts = []
    for streamed in (False, True):
        kind = "an event stream" if streamed else "JSON"
        parts.append(f"The server answers with {kind}:\n\n" + _run(rounds, calls, streamed))
    return "\n".join(parts)


def _run(rounds: int, calls: int, streamed: bool) -> str:
    ports = _free_ports(3)
    at = [f"http://127.0.0.1:{port}" for port in ports]
    me = [sys.executable, "-m", "bench.http_front"]
    env = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    with tempfile.TemporaryDirectory() as folder:
        front = [sys.executable, "-m", "mcpobs", "instrument", "--listen", at[2].removeprefix("http://")]
        commands = [
            [*me, "--serve", str(ports[0]), *(["--streamed"] if streamed else [])],
            [*me, "--proxy", str(ports[1]), at[0]],
            [*front, "--upstream", at[0], "--lake", folder + "/lake"],
        ]
        env["MCPOBS_CONFIG"] = folder
        processes = [subprocess.Popen(command, env=env, stderr=subprocess.DEVNULL) for command in commands]
        try:
            for port in ports:
                _wait_for(port)
            ways = [
                Way("no proxy", ports[0]),
                Way("plain aiohttp proxy", ports[1]),
                Way("mcpobs instrument --upstream", ports[2]),
                Way("plain aiohttp proxy again (A/A)", ports[1]),
            ]
            asyncio.run(_measure(ways, rounds, calls))
        finally:
            for process in processes:
                process.terminate()
            for process in processes:
                process.wait(timeout=20)
    return _table(ways)


def _table(ways: list[Way]) -> str:
    none, plain = ways[0], ways[1]
    lines = [
        "| | p50 µs | p95 µs | added p50 to no proxy | to the plain proxy p50 | p95 |",
        "|---|---|---|---|---|---|",
    ]
    for way in ways:
        direct = statistics.median(a - b for a, b in zip(way.p50_us, none.p50_us, strict=True))
        p50 = statistics.median(a - b for a, b in zip(way.p50_us, plain.p50_us, strict=True))
        p95 = statistics.median(a - b for a, b in zip(way.p95_us, plain.p95_us, strict=True))
        own, own95 = statistics.median(way.p50_us), statistics.median(way.p95_us)
        lines.append(f"| {way.name} | {own:.0f} | {own95:.0f} | {direct:+.0f} | {p50:+.0f} | {p95:+.0f} |")
    return "\n".join(lines) + "\n"


def _free_ports(count: int) -> list[int]:
    import socket

    bound = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in bound]
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--calls", type=int, default=300)
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--streamed", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--proxy", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        server(given.serve, given.streamed)
    elif given.proxy:
        plain_proxy(int(given.proxy[0]), given.proxy[1])
    else:
        print(run(given.rounds, given.calls))


if __name__ == "__main__":
    main()
