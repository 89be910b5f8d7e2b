"""A call that is redirected is the one that the client makes at the new place."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from aiohttp import web
from yarl import URL

from mcpobs.proxy.http.redirects import STATUSES
from tests.proxy.http.world import World, call, result, world

LOCATIONS = ["{server}/mcp/", "/mcp/", "mcp/", "{upper}/mcp/", "{alias}/mcp/", "/mcp/?q=a%20b", "/m%63p/"]
INITIALIZED = {"jsonrpc": "2.0", "method": "notifications/initialized"}


def _server(status: int, location: str) -> object:
    async def server(request: web.BaseRequest) -> web.StreamResponse:
        if request.path == "/mcp":
            port = request.host.rpartition(":")[2]
            named = location.format(
                server=f"http://{request.host}", upper=f"HTTP://LocalHost:{port}", alias=f"http://127.1:{port}"
            )
            return web.Response(status=status, headers={"Location": named})
        message = json.loads(await request.read())
        return web.json_response(result(message["id"])) if "id" in message else web.Response(status=202)

    return server


async def _follow(w: World, message: object, headers: dict[str, str]) -> None:
    """Sends a message as a client that repeats a redirected POST."""
    async with w.client.post(w.url + "/mcp", json=message, headers=headers, allow_redirects=False) as response:
        place = str(response.real_url.join(URL(response.headers["Location"], encoded=True)))
        assert place.startswith(w.url)
    async with w.client.post(place, json=message, headers=headers) as response:
        await response.read()


@pytest.mark.parametrize("location", LOCATIONS)
@pytest.mark.parametrize("status", sorted(STATUSES))
def test_a_followed_redirect_leaves_one_call(tmp_path: Path, status: int, location: str) -> None:
    async def run() -> None:
        async with world(tmp_path, _server(status, location)) as w:  # type: ignore[arg-type]
            for modern, headers in ((True, {}), (False, {}), (False, {"Mcp-Session-Id": "s"})):
                for number in range(2):
                    await _follow(w, call("search", number, modern), headers)
                await _follow(w, INITIALIZED, headers)
        rows = w.operations()
        assert [row["method"] for row in rows] == ["tools/call", "tools/call", INITIALIZED["method"]] * 3
        assert {row["outcome"] for row in rows} == {"ok"}
        assert [row["http_status"] for row in rows if row["method"] == "tools/call"] == [200] * 6
        assert [row["http_status"] for row in w.requests()] == [status, 200, status, 200, status, 202] * 3

    asyncio.run(run())


def test_a_redirect_that_nobody_follows_is_recorded_once(tmp_path: Path) -> None:
    async def run() -> None:
        async with world(tmp_path, _server(307, "/mcp/")) as w:  # type: ignore[arg-type]
            for _ in range(2):
                async with w.client.post(w.url + "/mcp", json=call("search"), allow_redirects=False) as response:
                    assert response.status == 307
            assert w.operations() == []
        rows = w.operations()
        assert [(row["outcome"], row["error_type"], row["http_status"]) for row in rows] == [
            ("unfinished", "redirected", 307)
        ] * 2

    asyncio.run(run())


def test_a_redirect_without_a_place_is_an_answer(tmp_path: Path) -> None:
    async def server(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(status=307)

    async def run() -> None:
        async with world(tmp_path, server) as w:
            async with w.client.post(w.url + "/mcp", json=call("search"), allow_redirects=False):
                pass
            assert len(w.operations()) == 1

    asyncio.run(run())
