"""A real client and a real server with a front between that enforces: the outcomes are those of any other front."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import mcp_types as types
import pytest
from aiohttp import web
from mcp import Client, MCPError
from mcp.client.sse import sse_client
from mcp.server.mcpserver import Context, MCPServer

from mcpobs.gate.judge import OnError
from tests.gate import table
from tests.gate.judged_server import new_server
from tests.gate.judges import ByName
from tests.instrument.serving import served
from tests.proxy.http.world import world

TRANSPORTS = pytest.mark.parametrize(
    ("transport", "mode"),
    [("events", "legacy"), ("events", "auto"), ("json", "legacy"), ("json", "auto"), ("sse", "legacy")],
)
ON_ERROR = pytest.mark.parametrize("on_error", ["deny", "allow"])
LONG_S = 60


def _app(server: Any, transport: str) -> Any:
    return server.sse_app() if transport == "sse" else server.streamable_http_app(json_response=transport == "json")


async def _unused(request: web.BaseRequest) -> web.StreamResponse:
    raise AssertionError("the real server is the upstream")


@TRANSPORTS
@ON_ERROR
def test_a_real_client_gets_what_was_decided(tmp_path: Path, transport: str, mode: Any, on_error: OnError) -> None:
    ran: list[str] = []

    async def run(url: str) -> None:
        async with world(tmp_path, _unused, upstream=url, judge=ByName(on_error)) as w:
            at: Any = sse_client(f"{w.url}/sse") if transport == "sse" else f"{w.url}/mcp"
            async with asyncio.timeout(LONG_S), Client(at, mode=mode) as client:
                seen = await table.play(client)
            table.check(seen, ran, w.rows(), on_error)

    with served(_app(new_server(ran.append), transport)) as url:
        asyncio.run(run(url))


async def _sampled(context: Any, params: Any) -> types.CreateMessageResult:
    content = types.TextContent(type="text", text="sampled")
    return types.CreateMessageResult(role="assistant", content=content, model="none")


@pytest.mark.filterwarnings("ignore:The sampling capability is deprecated")
@pytest.mark.parametrize("transport", ["events", "sse"])
@ON_ERROR
def test_what_a_real_server_asks_of_its_client_is_judged(tmp_path: Path, transport: str, on_error: OnError) -> None:
    server = MCPServer("asking")

    @server.tool()
    async def ask(ctx: Context) -> str:
        """Asks the client's model."""
        message = types.SamplingMessage(role="user", content=types.TextContent(type="text", text="well?"))
        answer = await ctx.session.create_message([message], max_tokens=10, related_request_id=ctx.request_id)
        return str(answer.content)

    async def run(url: str) -> None:
        async with world(tmp_path, _unused, upstream=url, judge=ByName(on_error)) as w:
            at: Any = sse_client(f"{w.url}/sse") if transport == "sse" else f"{w.url}/mcp"
            async with asyncio.timeout(LONG_S), Client(at, mode="legacy", sampling_callback=_sampled) as client:
                if on_error == "allow":
                    assert "sampled" in str((await client.call_tool("ask", {})).content)
                else:
                    with pytest.raises(MCPError, match="no sampling"):
                        await client.call_tool("ask", {})
            (asked,) = [row for row in w.operations() if row["method"] == "sampling/createMessage"]
            assert asked["outcome"] == ("ok" if on_error == "allow" else "denied")

    with served(_app(server, transport)) as url:
        asyncio.run(run(url))
