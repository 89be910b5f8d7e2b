"""An HTTP server that answers calls oddly: `python -m tests.interop.answering_http_server PORT`.

POST /NAME/mcp answers `tools/call` with the odd answer of that name, and everything else properly.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from aiohttp import web

from tests.proxy.http.answering import send
from tests.proxy.http.answers import ANSWERS

MODERN = "2026-07-28"
INFO = {"name": "answering", "version": "1"}


async def answered(request: web.Request) -> web.StreamResponse:
    if request.method != "POST":
        return web.Response(status=405 if request.method == "GET" else 200)
    asked = json.loads(await request.read())
    name = request.path.split("/")[1]
    if "id" not in asked or "method" not in asked:
        return web.Response(status=202)
    if asked["method"] == "tools/call":
        return await send(request, ANSWERS[name], asked["id"])
    result = proper(asked, name)
    if result is None:
        error = {"code": -32601, "message": "unknown method"}
        return web.json_response({"jsonrpc": "2.0", "id": asked["id"], "error": error})
    return web.json_response({"jsonrpc": "2.0", "id": asked["id"], "result": result})


def proper(asked: dict[str, Any], name: str) -> dict[str, Any] | None:
    tools = [{"name": name, "inputSchema": {"type": "object"}}]
    cached = {"resultType": "complete", "ttlMs": 0, "cacheScope": "private"}
    match asked["method"]:
        case "initialize":
            version = asked["params"]["protocolVersion"]
            return {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": INFO}
        case "server/discover":
            return {**cached, "supportedVersions": [MODERN], "capabilities": {"tools": {}}, "serverInfo": INFO}
        case "tools/list":
            return {**cached, "tools": tools}
    return None


async def main(port: int) -> None:
    runner = web.ServerRunner(web.Server(answered, auto_decompress=False))  # type: ignore[arg-type]
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
