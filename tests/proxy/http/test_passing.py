"""What the HTTP front passes on: everything as it came, as it comes."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from tests.proxy.http.world import call, event, result, world


def test_requests_and_responses_pass_unchanged(tmp_path: Path) -> None:
    seen: list[tuple[str, str, dict[str, str], bytes]] = []

    async def server(request: web.BaseRequest) -> web.StreamResponse:
        seen.append((request.method, request.raw_path, dict(request.headers), await request.read()))
        return web.Response(
            status=207, reason="Odd", headers={"X-Own": "ä", "Set-Cookie": "a=1"}, body=b"\x00\xffbytes"
        )

    async def run() -> None:
        async with world(tmp_path, server) as w:
            for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
                url = w.url + "/a%2Fb/?q=%20+&q=2"
                headers = {"Authorization": "Bearer secret", "X-Some": "1", "Cookie": "c=d", "Connection": "X-Hop"}
                body = None if method in ("GET", "OPTIONS") else b'{"not": "mcp"'
                async with w.client.request(method, url, data=body, headers={**headers, "X-Hop": "1"}) as response:
                    assert (response.status, response.reason) == (207, "Odd")
                    assert response.headers["X-Own"] == "ä"
                    assert response.headers["Set-Cookie"] == "a=1"
                    assert await response.read() == b"\x00\xffbytes"
                got = seen.pop()
                assert got[:2] == (method, "/a%2Fb/?q=%20+&q=2")
                assert got[3] == (body or b"")
                assert {name: got[2][name] for name in ("Authorization", "X-Some", "Cookie")} == {
                    "Authorization": "Bearer secret",
                    "X-Some": "1",
                    "Cookie": "c=d",
                }
                assert "X-Hop" not in got[2]
                assert got[2]["Host"] == w.server.removeprefix("http://")
                assert got[2]["X-Forwarded-For"] == "127.0.0.1"
            assert "secret" not in json.dumps(w.rows())
            assert w.warnings == []

    asyncio.run(run())


def test_an_event_passes_when_it_comes(tmp_path: Path) -> None:
    go_on = asyncio.Event()

    async def server(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(event({"jsonrpc": "2.0", "method": "notifications/progress", "params": {}}))
        await go_on.wait()
        await response.write(event(result()))
        return response

    async def run() -> None:
        async with world(tmp_path, server) as w, w.client.post(w.url + "/mcp", json=call("search")) as response:
            first = await asyncio.wait_for(response.content.readuntil(b"\n\n"), 5)
            assert b"notifications/progress" in first
            go_on.set()
            assert b"found" in await response.content.read()

    asyncio.run(run())


def test_a_finished_call_is_recorded_before_the_client_has_it(tmp_path: Path) -> None:
    async def server(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(event(result()))
        await asyncio.sleep(60)
        return response

    async def run() -> None:
        async with world(tmp_path, server) as w, w.client.post(w.url + "/mcp", json=call("search")) as response:
            await response.content.readuntil(b"\n\n")
            assert [row["outcome"] for row in w.operations()] == ["ok"]

    asyncio.run(run())


@pytest.mark.parametrize("coding", ["gzip", "identity"])
def test_a_compressed_answer_passes_compressed_and_is_read(tmp_path: Path, coding: str) -> None:
    asked: list[str] = []

    async def server(request: web.BaseRequest) -> web.StreamResponse:
        asked.append(request.headers.get("Accept-Encoding", ""))
        body = json.dumps(result()).encode()
        packed = gzip.compress(body) if coding == "gzip" else body
        return web.Response(body=packed, content_type="application/json", headers={"Content-Encoding": coding})

    async def run() -> None:
        headers = {"Accept-Encoding": "gzip, br;q=0.9, zstd"}
        async with world(tmp_path, server) as w:
            async with w.client.post(w.url + "/mcp", json=call("search"), headers=headers) as response:
                body = await response.read()
                assert response.headers["Content-Encoding"] == coding
                assert json.loads(gzip.decompress(body) if coding == "gzip" else body) == result()
            assert asked == ["gzip"]  # brotli could not be read along
            assert [row["outcome"] for row in w.operations()] == ["ok"]

    asyncio.run(run())


def test_a_large_body_passes_both_ways_without_being_held(tmp_path: Path) -> None:
    size = 150 << 20

    async def server(request: web.BaseRequest) -> web.StreamResponse:
        count = 0
        async for part in request.content.iter_any():
            count += len(part)
        response = web.StreamResponse(headers={"Content-Type": "application/octet-stream"})
        await response.prepare(request)
        for _ in range(size >> 20):
            await response.write(b"y" * (1 << 20))
        assert count == size
        return response

    async def body():
        for _ in range(size >> 20):
            yield b"x" * (1 << 20)

    async def run() -> None:
        async with world(tmp_path, server) as w:
            count = 0
            async with w.client.post(w.url + "/upload", data=body()) as response:
                async for part in response.content.iter_any():
                    count += len(part)
            assert count == size
            await w.until(lambda: len(w.requests()) == 1)
            (http,) = w.requests()
            assert (http["http.request.body.size"], http["http.response.body.size"]) == (size, size)

    asyncio.run(run())


def test_a_large_call_is_known_when_its_answer_comes(tmp_path: Path) -> None:
    async def server(request: web.BaseRequest) -> web.StreamResponse:
        async for _ in request.content.iter_any():
            pass
        return web.json_response(result())

    async def run() -> None:
        async with world(tmp_path, server) as w:
            message = call("search")
            message["params"]["arguments"] = {"query": "x" * (3 << 20)}
            data = json.dumps(message).encode()

            async def chunked():
                for at in range(0, len(data), 100_000):
                    yield data[at : at + 100_000]

            for body in (io.BytesIO(data), chunked()):
                async with w.client.post(w.url, data=body, headers={"Content-Type": "application/json"}) as response:
                    assert await response.json() == result()
            first, second = w.operations()
            assert first["args_bytes"] == second["args_bytes"] > 3 << 20
            assert [first["outcome"], second["outcome"]] == ["ok", "ok"]

    asyncio.run(run())


def test_a_redirect_of_the_server_to_itself_stays_with_the_proxy(tmp_path: Path) -> None:
    async def server(request: web.BaseRequest) -> web.StreamResponse:
        host = request.headers["Host"]
        place = f"http://{host}/mcp/" if request.path == "/mcp" else "https://elsewhere.example/login"
        return web.Response(status=307, headers={"Location": place})

    async def run() -> None:
        async with world(tmp_path, server) as w:
            async with w.client.post(w.url + "/mcp", json=call("t"), allow_redirects=False) as response:
                assert response.headers["Location"] == w.url + "/mcp/"
            async with w.client.get(w.url + "/other", allow_redirects=False) as response:
                assert response.headers["Location"] == "https://elsewhere.example/login"

    asyncio.run(run())


def test_the_root_is_the_path_of_the_upstream(tmp_path: Path) -> None:
    asked: list[str] = []

    async def server(request: web.BaseRequest) -> web.StreamResponse:
        asked.append(request.raw_path)
        return web.Response()

    async def run() -> None:
        async with world(tmp_path, server, path="/team/mcp") as w:
            for target in ("/", "/?a=1", "/.well-known/oauth-protected-resource"):
                async with w.client.get(w.url + target):
                    pass

    asyncio.run(run())
    assert asked == ["/team/mcp", "/team/mcp?a=1", "/.well-known/oauth-protected-resource"]


def test_a_name_that_is_not_the_proxys_is_refused_on_loopback(tmp_path: Path) -> None:
    async def server(request: web.BaseRequest) -> web.StreamResponse:
        raise AssertionError("it must not get there")

    async def run() -> None:
        async with (
            world(tmp_path, server) as w,
            w.client.post(w.url + "/mcp", json=call("t"), headers={"Host": "evil.example"}) as response,
        ):
            assert response.status == 421
            assert "Host" in (await response.json())["error"]["message"]

    asyncio.run(run())


def test_an_expectation_of_100_is_met(tmp_path: Path) -> None:
    async def server(request: web.BaseRequest) -> web.StreamResponse:
        await request.read()
        return web.json_response(result())

    async def run() -> None:
        timeout = aiohttp.ClientTimeout(5)
        async with (
            world(tmp_path, server) as w,
            w.client.post(w.url, json=call("t"), expect100=True, timeout=timeout) as answer,
        ):
            assert await answer.json() == result()

    asyncio.run(run())
