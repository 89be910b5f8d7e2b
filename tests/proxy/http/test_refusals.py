"""What the HTTP front answers itself, where the server cannot."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from mcpobs.proxy.http.request_body import WHOLE_BYTES
from tests.proxy.http.world import World, call, world

JSON = {"Content-Type": "application/json"}


async def _breaks_off(request: web.BaseRequest) -> web.StreamResponse:
    async for _ in request.content.iter_any():
        pass
    response = web.StreamResponse(headers={**JSON, "Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b'{"jsonrpc"')
    assert request.transport is not None
    request.transport.abort()
    return response


async def _refused(w: World, body: Any, status: int, **headers: str) -> dict[str, Any]:
    async with w.client.post(w.url + "/mcp", data=body, headers={**JSON, **headers}) as response:
        assert (response.status, response.content_type) == (status, "application/json")
        answer = await response.json()
    assert answer["error"]["message"].startswith("mcpobs: ")
    return dict(answer)


async def _in_parts(body: bytes) -> AsyncIterator[bytes]:
    yield body[:10]
    yield body[10:]


@pytest.mark.parametrize(
    ("message", "answered"),
    [
        (call("search", request_id=7), 7),
        ({**call("search"), "id": "seven"}, "seven"),
        ({"jsonrpc": "2.0", "method": "notifications/initialized"}, None),
        ([call("search", request_id=7)], None),
    ],
)
def test_where_the_server_is_not_there_a_request_is_answered_by_its_id(
    tmp_path: Path, message: object, answered: object
) -> None:
    async def run() -> None:
        async with world(tmp_path, _breaks_off, upstream="http://127.0.0.1:9") as w:
            assert (await _refused(w, json.dumps(message).encode(), 502))["id"] == answered

    asyncio.run(run())


def test_where_the_server_breaks_off_a_request_is_answered_by_its_id(tmp_path: Path) -> None:
    large = call("search", request_id=8)
    large["params"]["arguments"]["query"] = "x" * WHOLE_BYTES

    async def run() -> None:
        async with world(tmp_path, _breaks_off) as w:
            body = json.dumps(call("search", request_id=7)).encode()
            assert (await _refused(w, body, 502))["id"] == 7
            assert (await _refused(w, _in_parts(body), 502))["id"] == 7
            assert (await _refused(w, io.BytesIO(json.dumps(large).encode()), 502))["id"] is None  # it was not kept
            assert [row["error_type"] for row in w.operations()] == ["server_exit"] * 3

    asyncio.run(run())


def test_a_request_refused_unread_has_no_id(tmp_path: Path) -> None:
    async def run() -> None:
        async with world(tmp_path, _breaks_off) as w:
            body = json.dumps(call("search", request_id=7)).encode()
            answer = await _refused(w, body, 421, Host="evil.example")
            assert (answer["id"], answer["error"]["code"]) == (None, -32600)

    asyncio.run(run())


@pytest.mark.parametrize("size", [WHOLE_BYTES - 1, WHOLE_BYTES, WHOLE_BYTES + 1])
def test_no_size_is_too_large(tmp_path: Path, size: int) -> None:
    body = b'{"not mcp": "' + b"x" * (size - 15) + b'"}'

    async def server(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(body=str(len(await request.content.read(-1))).encode())

    async def run() -> None:
        async with world(tmp_path, server) as w, w.client.post(w.url, data=io.BytesIO(body)) as response:
            assert (response.status, await response.read()) == (200, str(size).encode())

    asyncio.run(run())
