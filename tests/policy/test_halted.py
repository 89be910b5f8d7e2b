"""A halted session over HTTP: what its caller can change does not let it go on, and its other open session does."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from mcpobs.gate.policing import judge
from mcpobs.policy import file
from mcpobs.settings import IdentityConfig
from tests.policy.evasions import META
from tests.proxy.http.world import World, world

POLICY = b"version: 1\nlimits: [{id: few, tools: [capped], per_session: 1, on_exceed: halt}]\n"
TRACE = "00-{:032x}-b7ad6b7169203331-01"


class Server:
    """Answers everything, gives out a session id at `initialize`, and notes the tools that it ran."""

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.sessions = 0

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        message = json.loads(await request.read())
        headers = {}
        if message["method"] == "initialize":
            self.sessions += 1
            headers["Mcp-Session-Id"] = f"session-{self.sessions}"
        else:
            self.ran.append(message["params"]["name"])
        result = {"content": [{"type": "text", "text": "done"}], "resultType": "complete"}
        return web.json_response({"jsonrpc": "2.0", "id": message["id"], "result": result}, headers=headers)


class Caller:
    """A client of the front, with a connection and a session of its own."""

    def __init__(self, w: World) -> None:
        self._url = f"{w.url}/mcp"
        self._http = aiohttp.ClientSession()
        self._session: dict[str, str] = {}
        self._id = 0

    async def legacy(self) -> Caller:
        """Begins a session of the protocol."""
        params = {"protocolVersion": "2025-11-25", "clientInfo": {"name": "c", "version": "1"}, "capabilities": {}}
        response = await self._post("initialize", params)
        self._session = {"Mcp-Session-Id": response.headers["Mcp-Session-Id"]}
        return self

    async def code(self, tool: str, **meta: str) -> str:
        """Why a call is denied, or `ok`."""
        params: dict[str, Any] = {"name": tool, "arguments": {}}
        if not self._session:
            params["_meta"] = {**META, **meta}
        elif meta:
            params["_meta"] = meta
        result = (await (await self._post("tools/call", params)).json())["result"]
        return str(result.get("_meta", {}).get("mcpobs/decision", {}).get("code", "ok"))

    async def _post(self, method: str, params: dict[str, Any]) -> aiohttp.ClientResponse:
        self._id += 1
        headers = {"Accept": "application/json, text/event-stream", **self._session}
        if not self._session and method != "initialize":
            headers |= {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": method, "Mcp-Name": params["name"]}
        message = {"jsonrpc": "2.0", "id": self._id, "method": method, "params": params}
        return await self._http.post(self._url, json=message, headers=headers)

    async def close(self) -> None:
        await self._http.close()


def test_a_halted_session_cannot_go_on_under_another_name(tmp_path: Path) -> None:
    server = Server()
    found = judge(file.of_texts([(POLICY, "policy.yaml")]), "shop")
    identity = IdentityConfig(static=True, principal="ann")

    async def run() -> None:
        async with world(tmp_path, server, identity=identity, judge=found) as w:
            callers = [Caller(w) for _ in range(5)]
            other, bad, again, modern, new = callers
            await other.legacy()
            await bad.legacy()
            assert await other.code("open") == "ok"
            assert [await bad.code("capped") for _ in range(2)] == ["ok", "call_limit"]
            assert await bad.code("free") == "halted"
            await again.legacy()
            assert await again.code("free") == "halted"  # another connection and another session id
            assert await modern.code("free") == "halted"  # none at all, and a connection of its own
            conversation = {"gen_ai.conversation.id": "another"}
            assert await new.code("free", **conversation) == "halted"
            assert await new.code("free", traceparent=TRACE.format(7)) == "halted"
            assert await bad.code("free", **conversation) == "halted"
            assert await other.code("open") == "ok"
            for caller in callers:
                await caller.close()

    asyncio.run(run())
    assert server.ran == ["open", "capped", "open"]
