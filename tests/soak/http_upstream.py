"""`python -m tests.soak.http_upstream PORT`: a server for the soak of the HTTP front. GET /idle is a stream that says
hello and nothing more; GET /large sends 64 MiB; a POST answers after `wait_s` of its arguments, by events where
`events` is set.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys

from aiohttp import web

from tests.proxy.http.world import event, result

LARGE_BYTES = 64 << 20


async def handle(request: web.BaseRequest) -> web.StreamResponse:
    if request.method == "POST":
        message = json.loads(await request.read())
        arguments = message["params"]["arguments"]
        if not arguments.get("events"):
            await asyncio.sleep(arguments.get("wait_s", 0))
            return web.json_response(result(message["id"]))
        response = await _stream(request)
        await response.write(b": begun\n\n")
        await asyncio.sleep(arguments["wait_s"])
        await response.write(event(result(message["id"])))
        return response
    if request.path == "/large":
        response = await _stream(request)
        for _ in range(LARGE_BYTES >> 16):
            await response.write(b"data: " + b"x" * 65_528 + b"\n\n")
        return response
    response = await _stream(request)
    await response.write(b": hello\n\n")
    await asyncio.sleep(3600)
    return response


async def _stream(request: web.BaseRequest) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    return response


async def main(port: int) -> None:
    runner = web.ServerRunner(web.Server(handle))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, backlog=1024).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)  # it tells of each client that goes away, and thousands do
    asyncio.run(main(int(sys.argv[1])))
