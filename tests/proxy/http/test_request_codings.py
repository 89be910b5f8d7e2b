"""A request in a content coding passes as it came, and is recorded as the server reads it."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import os
import zlib
from pathlib import Path

import pytest
from aiohttp import web

from mcpobs.proxy.http.request_body import WHOLE_BYTES
from tests.proxy.http.answers import CODERS
from tests.proxy.http.world import call, result, world

MESSAGES = {
    "call": call("search"),
    "batch": [call("search", 1, False), call("find", 2, False)],
    "large": {**call("search"), "large": os.urandom(WHOLE_BYTES).hex()},
}


@pytest.mark.parametrize("propagate", [False, True])
@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize(
    "codings",
    ["gzip", "GZIP", "x-gzip", "deflate", "deflate, raw", "gzip, two members", "gzip+gzip", "deflate+gzip", "identity"],
)
@pytest.mark.parametrize("name", MESSAGES)
def test_a_coded_request_is_recorded(tmp_path: Path, name: str, codings: str, chunked: bool, propagate: bool) -> None:
    words = [word for word in codings.split("+") if word != "identity"]
    body = json.dumps(MESSAGES[name]).encode()
    for word in words:
        body = CODERS[word.replace("x-", "").lower()](body)
    headers = {"Content-Encoding": ", ".join(word.partition(",")[0] for word in words) or "identity"}
    got: list[bytes] = []

    async def server(request: web.BaseRequest) -> web.StreamResponse:
        got.append(await request.content.read())
        return web.json_response([result(1), result(2)] if name == "batch" else result())

    async def parts():  # type: ignore[no-untyped-def]
        yield body[:10]
        yield body[10:]

    async def run() -> None:
        async with world(tmp_path, server, propagate=propagate) as w:
            data = parts() if chunked else io.BytesIO(body)
            async with w.client.post(w.url + "/mcp", data=data, headers=headers) as response:
                await response.read()
        assert got == [body]
        rows = w.operations()
        assert [(row["tool"], row["outcome"]) for row in rows] == [("search", "ok"), ("find", "ok")][: len(rows)]
        assert len(rows) == (2 if name == "batch" else 1)
        assert w.requests()[0]["http.request.body.size"] == len(body)

    asyncio.run(run())


@pytest.mark.parametrize("coding", ["br", "zstd", "x-own"])
def test_a_request_in_another_coding_passes(tmp_path: Path, coding: str) -> None:
    body = CODERS.get(coding, bytes)(json.dumps(call("search")).encode())

    async def server(request: web.BaseRequest) -> web.StreamResponse:
        assert await request.read() == body
        return web.json_response(result())

    async def run() -> None:
        headers = {"Content-Encoding": coding}
        async with world(tmp_path, server) as w, w.client.post(w.url, data=body, headers=headers) as response:
            assert json.loads(await response.read()) == result()
        assert [row["outcome"] for row in w.operations()] == ["ok"] * (coding == "x-own")
        assert len(w.requests()) == 1

    asyncio.run(run())


@pytest.mark.parametrize("coder", [gzip.compress, zlib.compress])
def test_a_request_that_grows_too_much_is_recorded_by_its_ends(tmp_path: Path, coder: object) -> None:
    large = json.dumps({**call("search"), "large": "x" * (80 << 20)}).encode()
    coding = "gzip" if coder is gzip.compress else "deflate"
    body = CODERS[coding](large)

    async def server(request: web.BaseRequest) -> web.StreamResponse:
        assert await request.content.read() == body
        return web.json_response(result())

    async def run() -> None:
        headers = {"Content-Encoding": coding}
        async with (
            world(tmp_path, server) as w,
            w.client.post(w.url, data=io.BytesIO(body), headers=headers) as response,
        ):
            await response.read()
        assert [(row["tool"], row["outcome"]) for row in w.operations()] == [("search", "ok")]

    asyncio.run(run())
