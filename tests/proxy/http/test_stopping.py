"""How what is under way ends when the HTTP front is stopped."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from mcpobs.proxy.http import front as front_module
from tests.proxy.http.world import World, call, event, result, world

EVENTS = {"Content-Type": "text/event-stream"}
LONG_S = 60
PROGRESS = event({"jsonrpc": "2.0", "method": "notifications/progress", "params": {}})


class _Server:
    """Answers once `go_on` is set; over HTTP+SSE on the stream."""

    def __init__(self) -> None:
        self.has: asyncio.Queue[str] = asyncio.Queue()
        self.go_on = asyncio.Event()

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        message = json.loads(await request.read() or b"{}")
        tool = message["params"]["name"] if message else "stream"
        if request.path == "/messages":
            self.has.put_nowait(tool)
            return web.Response(status=202)
        response = web.StreamResponse(headers=EVENTS if tool in ("stream", "events") else {})
        if tool != "silent":
            await response.prepare(request)
            await response.write(PROGRESS)
        if request.path == "/sse":
            await response.write(b"event: endpoint\ndata: /messages\n\n")
        self.has.put_nowait(tool)
        await self.go_on.wait()
        if tool == "silent":
            return web.json_response(result(message["id"]))
        if tool in ("stream", "events"):
            await response.write(event(result(message.get("id", 1))))
        return response


async def _asked(w: World, tool: str, modern: bool, session: str | None = None) -> tuple[int, bytes]:
    headers = {"Mcp-Session-Id": session} if session else {}
    message = call(tool, request_id=7, modern=modern)
    async with w.client.post(w.url + "/mcp", json=message, headers=headers) as response:
        return response.status, await response.read()


async def _streamed(w: World, path: str = "/mcp", session: str | None = None) -> bytes:
    headers = {"Accept": "text/event-stream"} | ({"Mcp-Session-Id": session} if session else {})
    async with w.client.get(w.url + path, headers=headers) as response:
        return await response.read()


def _calls(w: World) -> list[tuple[Any, Any]]:
    return [(row["outcome"], row.get("error_type")) for row in w.operations() if row["method"] == "tools/call"]


@pytest.mark.parametrize(("modern", "session"), [(True, None), (False, None), (False, "s")])
@pytest.mark.parametrize("tool", ["silent", "events", "half"])
def test_a_call_that_is_cut_off_is_recorded_once_as_unfinished_and_its_client_knows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tool: str, modern: bool, session: str | None
) -> None:
    monkeypatch.setattr(front_module, "GRACE_S", 0)

    async def run() -> None:
        server = _Server()
        async with world(tmp_path, server) as w:
            asked = asyncio.create_task(_asked(w, tool, modern, session))
            await server.has.get()
            await w.until(lambda: tool == "silent" or any(p.has_begun for p in w.front._under_way))
            await w.front.stop()
            if tool == "half":  # of a body of which nobody knows where it ends
                with pytest.raises(aiohttp.ClientPayloadError):
                    await asked
            else:
                status, body = await asked
                if tool == "silent":
                    answer = json.loads(body)
                    assert (status, answer["id"]) == (503, 7)
                    assert answer["error"]["message"] == "mcpobs: the proxy is being stopped"
                else:
                    assert (status, body) == (200, PROGRESS)
            assert _calls(w) == [("unfinished", "shutdown")]
            (http,) = w.requests()
            assert http["mcpobs.http.ended"] == "shutdown"
            server.go_on.set()
            assert w.warnings == []

    asyncio.run(run())


def test_a_call_may_end_in_time_and_the_stream_of_its_session_stays_until_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(front_module, "GRACE_S", LONG_S)

    async def run() -> None:
        server = _Server()
        async with world(tmp_path, server) as w:
            stream = asyncio.create_task(_streamed(w, session="s"))
            assert await server.has.get() == "stream"
            asked = asyncio.create_task(_asked(w, "silent", modern=False, session="s"))
            assert await server.has.get() == "silent"
            stopping = asyncio.create_task(w.front.stop())
            runner = w.front._runner
            await w.until(lambda: runner is not None and not runner.sites)
            with pytest.raises(aiohttp.ClientConnectorError):  # it takes no more
                await w.client.get(w.url + "/another")
            assert not any(task.done() for task in (asked, stream, stopping))
            server.go_on.set()
            assert (await asked)[0] == 200
            assert (await stream).startswith(PROGRESS)
            await stopping
            assert _calls(w) == [("ok", None)]

    asyncio.run(run())


def test_a_stream_on_which_nobody_waits_holds_nothing_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(front_module, "GRACE_S", LONG_S)

    async def run() -> None:
        server = _Server()
        async with world(tmp_path, server) as w:
            stream = asyncio.create_task(_streamed(w, session="s"))
            await server.has.get()
            await w.until(lambda: any(p.has_begun for p in w.front._under_way))
            await asyncio.wait_for(w.front.stop(), LONG_S / 2)
            assert await stream == PROGRESS
            server.go_on.set()

    asyncio.run(run())


@pytest.mark.parametrize("in_time", [True, False])
def test_over_sse_a_call_is_waited_for_on_the_stream(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_time: bool
) -> None:
    monkeypatch.setattr(front_module, "GRACE_S", LONG_S if in_time else 0)

    async def run() -> None:
        server = _Server()
        async with world(tmp_path, server) as w:
            stream = asyncio.create_task(_streamed(w, "/sse"))
            await server.has.get()
            await w.until(lambda: w.front._context.conversations.of_endpoint("/messages") is not None)
            async with w.client.post(w.url + "/messages", json=call("search", modern=False)) as accepted:
                assert accepted.status == 202
            stopping = asyncio.create_task(w.front.stop())
            if in_time:
                server.go_on.set()
            await stopping
            assert (b"found" in await stream) == in_time
            assert _calls(w) == [("ok", None) if in_time else ("unfinished", "shutdown")]
            server.go_on.set()

    asyncio.run(run())
