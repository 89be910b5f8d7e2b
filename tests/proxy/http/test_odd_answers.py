"""Answers that are no MCP, in an unknown coding, or with a code of two meanings."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from aiohttp import web

from tests.proxy.http.world import call, result, world


def _error(message: str) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": 1, "error": {"code": -32001, "message": message}}).encode()


@pytest.mark.parametrize("session", [{}, {"Mcp-Session-Id": "s"}])
@pytest.mark.parametrize(
    ("headers", "body", "outcome", "error_type"),
    [
        ({"Content-Type": "text/html"}, b"<html>Please log in</html>", "server_error", "not_mcp"),
        ({"Content-Type": "application/json"}, b"{", "server_error", "not_mcp"),
        ({"Content-Type": "Application/JSON; Charset=UTF-8"}, json.dumps(result()).encode(), "ok", None),
        ({"Content-Type": "application/json", "Content-Encoding": "br"}, b"\x0b\x02", "ok", None),
        ({"Content-Type": "application/json", "Content-Encoding": "zstd"}, b"\x28\xb5", "ok", None),
        ({"Content-Type": "application/json"}, _error("Session not found"), "protocol_error", None),
        ({"Content-Type": "application/json"}, _error("Request timed out"), "timeout", "-32001"),
    ],
)
def test_an_odd_answer_is_recorded_as_it_is(
    tmp_path: Path, session: dict[str, str], headers: dict[str, str], body: bytes, outcome: str, error_type: str | None
) -> None:
    async def server(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(body=body, headers=headers)

    async def run() -> None:
        async with world(tmp_path, server) as w:
            message = call("search", modern=not session)
            async with w.client.post(w.url + "/mcp", json=message, headers=session) as response:
                assert await response.read() == body
            await w.until(lambda: len(w.requests()) == 1)
            (row,) = w.operations()
            assert (row["outcome"], row.get("error_type")) == (outcome, error_type)

    asyncio.run(run())
