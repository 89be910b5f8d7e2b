"""URLs of the server lead back to the front, however they are spelled; those of others and relative ones stay."""

from __future__ import annotations

import asyncio
import gzip
import ipaddress
import json
import socket
import zlib
from pathlib import Path

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from mcpobs.proxy.http.own_urls import OwnUrls, same_place
from mcpobs.proxy.http.targets import parse_upstream
from tests.proxy.http.world import call, result, world

FRONT = "http://front:8765"


@pytest.mark.parametrize(
    ("upstream", "url", "rest"),
    [
        ("http://srv:8000", "http://srv:8000/x?y#z", "/x?y#z"),
        ("http://srv:8000", "http://srv:8000", ""),
        ("http://srv:8000", "HTTP://SRV:8000/x", "/x"),
        ("http://srv:8000", "http://srv.:8000/x", "/x"),
        ("http://srv:8000", "http://srv:08000/x", "/x"),
        ("http://srv:8000", "https://srv:8000/x", "/x"),
        ("http://srv:8000", " http://srv:8000/x", "/x"),
        ("http://srv:8000", "ht\ttp://srv:8000/x", "/x"),
        ("http://srv:8000", "http:\\\\srv:8000\\x", "\\x"),
        ("http://srv:8000", "http:///srv:8000/x", "/x"),
        ("http://srv:8000", "http://%73rv:8000/x", "/x"),
        ("http://srv:8000", "http://10.0.0.5:8000/x", "/x"),
        ("http://srv", "http://srv:80/x", "/x"),
        ("http://srv:80", "http://srv/x", "/x"),
        ("https://srv", "https://srv:443/x", "/x"),
        ("https://srv", "http://srv/x", "/x"),
        ("http://127.0.0.1:8000", "http://localhost:8000/x", "/x"),
        ("http://localhost:8000", "http://127.0.0.1:8000/x", "/x"),
        ("http://localhost:8000", "http://[::1]:8000/x", "/x"),
        ("http://[::1]:8000", "http://localhost.:8000/x", "/x"),
        ("http://127.0.0.1:8000", "http://0.0.0.0:8000/x", "/x"),
        ("http://127.0.0.1:8000", "http://127.1:8000/x", "/x"),
        ("http://127.0.0.1:8000", "http://2130706433:8000/x", "/x"),
        ("http://127.0.0.1:8000", "http://0x7f.1:8000/x", "/x"),
        ("http://127.0.0.1:8000", "http://[::ffff:127.0.0.1]:8000/x", "/x"),
        ("http://127.0.0.1:8000", "http://127.0.0.2:8000/x", "/x"),
        ("http://127.0.0.1:8000", f"http://{socket.gethostname()}:8000/x", "/x"),
        ("http://bücher.example:8000", "http://xn--bcher-kva.example:8000/x", "/x"),
        ("http://[2001:db8::1]:8000", "http://[2001:0db8:0::1]:8000/x", "/x"),
        ("https://srv:8443", "https:srv:8443/x", "/x"),
        ("https://srv:8443", "https:/srv:8443/x", "/x"),
        ("https://srv:8443", "https:\\srv:8443/x", "/x"),
        ("https://srv:8443", "HTTPS:/\\/srv:8443/x", "/x"),
    ],
)
def test_a_url_that_names_the_server_is_one_of_the_front(upstream: str, url: str, rest: str) -> None:
    urls = OwnUrls(parse_upstream(upstream), FRONT, {"10.0.0.5"})
    assert urls.own(url) == FRONT + rest
    assert not urls.is_foreign(url)


@st.composite
def _spellings(draw: st.DrawFn, address: int) -> str:
    """An IPv4 address as https://url.spec.whatwg.org/#concept-ipv4-parser reads it, however many parts it has."""
    count = draw(st.integers(1, 4))
    octets = list(address.to_bytes(4, "big"))
    numbers = [*octets[: count - 1], int.from_bytes(octets[count - 1 :], "big")]
    zeros = st.integers(0, 30).map(lambda many: "0" * many)
    return ".".join(
        draw(
            st.one_of(
                st.just(str(number)),
                zeros.map(lambda lead, number=number: f"0x{lead}{number:x}"),
                zeros.map(lambda lead, number=number: f"0X{lead}{number:X}"),
                zeros.map(lambda lead, number=number: f"0{lead}{number:o}"),
            )
        )
        for number in numbers
    )


@given(st.integers(1, 2**32 - 1).flatmap(lambda address: st.tuples(st.just(address), _spellings(address))))
def test_every_spelling_of_an_address_is_one_place(known: tuple[int, str]) -> None:
    address, spelling = known
    upstream = f"http://{ipaddress.IPv4Address(address)}:8000"
    assert OwnUrls(parse_upstream(upstream), FRONT).own(f"http://{spelling}:8000/x") == FRONT + "/x"


@pytest.mark.parametrize("host", ["1.2.3.4.5", "1.2.3.", "256.1.1.1", "1.2.3.256", "0x1g.1", "4294967296", "08.1", ""])
def test_an_invalid_address_counts_as_none(host: str) -> None:
    assert not same_place(f"http://{host}:80/", "http://1.2.3.4:80/")
    assert not same_place(f"http://{host}:80/", "http://0.0.0.0:80/")


@pytest.mark.parametrize(
    ("upstream", "url", "foreign"),
    [
        ("http://srv:8000", "/x", False),
        ("http://srv:8000", "x?y", False),
        ("http://srv:8000", "?y", False),
        ("http://srv:8000", "", False),
        ("http://srv:8000", "http://front:8765/x", False),
        ("http://srv:8000", "http://srv:8001/x", True),
        ("http://srv:8000", "http://srv/x", True),
        ("http://srv:8000", "http://srv.evil:8000/x", True),
        ("http://srv:8000", "http://evil-srv:8000/x", True),
        ("http://srv:8000", "http://srv:8000@evil/x", True),
        ("http://srv:8000", "http://localhost:8000/x", True),
        ("http://srv", "https://srv/x", True),
        ("http://127.0.0.1:8000", "http://localhost:8001/x", True),
        ("http://srv:8000", "mailto:me@srv:8000", False),
        ("http://srv:8000", "http://[srv:8000/x", True),
    ],
)
def test_a_url_of_another_place_stays(upstream: str, url: str, foreign: bool) -> None:
    urls = OwnUrls(parse_upstream(upstream), FRONT)
    assert urls.own(url) == url
    assert urls.is_foreign(url) == foreign


@pytest.mark.parametrize(
    ("name", "theirs", "ours"),
    [
        ("Location", "http://srv:8000/x", "http://front:8765/x"),
        ("location", "//SRV:8000/x", "//front:8765/x"),
        ("Location", "http://me:pw@srv:8000/x", "http://me:pw@front:8765/x"),
        ("Content-Location", "http://srv:8000/x", "http://front:8765/x"),
        ("Link", '<http://srv:8000/x>; rel="next", </y>', '<http://front:8765/x>; rel="next", </y>'),
        ("Refresh", "5; url=http://srv:8000/x", "5; url=http://front:8765/x"),
        (
            "WWW-Authenticate",
            'Bearer realm="http://srv:8000", resource_metadata="http://SRV:8000/m", scope="a"',
            'Bearer realm="http://srv:8000", resource_metadata="http://front:8765/m", scope="a"',
        ),
        (
            "WWW-Authenticate",
            "Bearer resource_metadata=https://srv:8000/m",
            "Bearer resource_metadata=http://front:8765/m",
        ),
        ("X-Other", "http://srv:8000/x", "http://srv:8000/x"),
    ],
)
def test_headers_with_urls_of_the_server(name: str, theirs: str, ours: str) -> None:
    assert OwnUrls(parse_upstream("http://srv:8000"), FRONT).header(name, theirs) == ours


def test_the_front_is_the_resource_of_its_metadata_and_nothing_else_changes() -> None:
    theirs = b'{ "resource" : "http://srv:8000/mcp", "authorization_servers":["http://srv:8000"],"n":1.50}'
    ours = theirs.replace(b'"http://srv:8000/mcp"', b'"http://front:8765/mcp"')
    assert OwnUrls(parse_upstream("http://srv:8000"), FRONT).metadata(theirs) == ours
    assert OwnUrls(parse_upstream("http://srv:8000/mcp"), FRONT).metadata(theirs) == ours.replace(b"/mcp", b"/")
    for odd in (b"", b"[]", b"{", b'{"resource":1}', b'{"resource":"http://them/"}', b"\xff"):
        assert OwnUrls(parse_upstream("http://srv:8000"), FRONT).metadata(odd) == odd


@pytest.mark.parametrize("coding", ["identity", "gzip", "deflate"])
@pytest.mark.parametrize("cut", [1, 20, 40, 60])
def test_an_endpoint_in_parts_and_coded_leads_to_the_front_and_its_calls_are_recorded(
    tmp_path: Path, coding: str, cut: int
) -> None:
    async def run() -> None:
        posted = asyncio.Event()

        async def handler(request: web.BaseRequest) -> web.StreamResponse:
            if request.method == "POST":
                posted.set()
                return web.Response(status=202)
            stream = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Content-Encoding": coding})
            await stream.prepare(request)
            packer = zlib.compressobj(wbits=31 if coding == "gzip" else zlib.MAX_WBITS)

            def packed(part: bytes) -> bytes:
                return part if coding == "identity" else packer.compress(part) + packer.flush(zlib.Z_SYNC_FLUSH)

            text = (
                f"event: endpoint\r\ndata: http://LOCALHOST:{request.url.port}/messages?session_id=1\r\n\r\n".encode()
            )
            for part in (text[:cut], text[cut:]):
                await stream.write(packed(part))
                await asyncio.sleep(0)
            await posted.wait()
            await stream.write(packed(b"data: " + json.dumps(result()).encode() + b"\n\n"))
            return stream

        async with world(tmp_path, handler) as w:
            async with w.client.get(w.url + "/sse", headers={"Accept": "text/event-stream"}) as stream:
                line = (await stream.content.readline(), await stream.content.readline())[1]
                assert line.strip() == f"data: {w.url}/messages?session_id=1".encode()
                async with w.client.post(w.url + "/messages?session_id=1", json=call("search", modern=False)) as sent:
                    assert sent.status == 202
                assert b'"found"' in await stream.content.read()
            (operation,) = w.operations()
            assert (
                operation["gen_ai_tool_name" if "gen_ai_tool_name" in operation else "tool"],
                operation["outcome"],
            ) == (
                "search",
                "ok",
            )

    asyncio.run(run())


@pytest.mark.parametrize("endpoint", ["messages?s=1", "/mcp/messages?s=1", "./messages?s=1", "../mcp/messages?s=1"])
def test_a_relative_endpoint_stays_and_its_calls_belong_to_the_stream(tmp_path: Path, endpoint: str) -> None:
    async def run() -> None:
        posted = asyncio.Event()

        async def handler(request: web.BaseRequest) -> web.StreamResponse:
            if request.method == "POST":
                posted.set()
                return web.Response(status=202)
            stream = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
            await stream.prepare(request)
            await stream.write(f"event: endpoint\ndata: {endpoint}\n\n".encode())
            await posted.wait()
            await stream.write(b"data: " + json.dumps(result()).encode() + b"\n\n")
            return stream

        async with world(tmp_path, handler) as w:
            async with w.client.get(w.url + "/mcp/sse", headers={"Accept": "text/event-stream"}) as stream:
                await stream.content.readline()
                assert (await stream.content.readline()).decode().strip() == f"data: {endpoint}"
                async with w.client.post(w.url + "/mcp/messages?s=1", json=call("search", modern=False)):
                    pass
                assert b'"found"' in await stream.content.read()
            assert [operation["outcome"] for operation in w.operations()] == ["ok"]

    asyncio.run(run())


def test_an_endpoint_at_another_host_passes_and_is_warned_of_once(tmp_path: Path) -> None:
    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        text = b"event: endpoint\ndata: http://elsewhere.example/messages?secret=1\n\n"
        return web.Response(body=text * 2, headers={"Content-Type": "text/event-stream"})

    async def run() -> None:
        async with world(tmp_path, handler) as w:
            for _ in range(2):
                async with w.client.get(w.url + "/sse", headers={"Accept": "text/event-stream"}) as stream:
                    assert (await stream.read()).count(b"http://elsewhere.example/messages?secret=1") == 2
            (line,) = w.warnings
            assert "elsewhere.example" in line
            assert "secret" not in line

    asyncio.run(run())


@pytest.mark.parametrize(
    ("coding", "comment_bytes", "word"), [("identity", 20_000, "16 KiB"), ("br", 0, "codes"), ("x-own", 0, "codes")]
)
def test_an_endpoint_that_cannot_be_read_passes_and_is_warned_of_once(
    tmp_path: Path, coding: str, comment_bytes: int, word: str
) -> None:
    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        stream = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Content-Encoding": coding})
        await stream.prepare(request)
        url = f"http://127.0.0.1:{request.url.port}/messages".encode()
        for part in (b"event: endpoint\n:" + b"x" * comment_bytes, b"x\ndata: " + url + b"\n\n"):
            await stream.write(part)
            await asyncio.sleep(0.01)  # two reads of the front's
        return stream

    async def run() -> None:
        async with world(tmp_path, handler) as w:
            for _ in range(2):
                headers = {"Accept": "text/event-stream"}
                async with w.client.get(w.url + "/sse", headers=headers, auto_decompress=False) as stream:
                    assert b"/messages" in await stream.read()
            assert [word in line for line in w.warnings] == [True]

    asyncio.run(run())


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("path", ["/.well-known/oauth-protected-resource/mcp", "/elsewhere"])
def test_a_login_finds_the_front_as_the_resource(tmp_path: Path, path: str, packed: bool) -> None:
    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        server = f"http://127.0.0.1:{request.url.port}"
        if request.method == "POST":
            challenge = f'Bearer resource_metadata="{server}{path}"'
            return web.json_response({}, status=401, headers={"WWW-Authenticate": challenge})
        body = json.dumps({"resource": server + "/mcp", "authorization_servers": [server]}).encode()
        if packed:
            return web.Response(
                body=gzip.compress(body), content_type="application/json", headers={"Content-Encoding": "gzip"}
            )
        return web.Response(body=body, content_type="application/json")

    async def run() -> None:
        async with world(tmp_path, handler) as w:
            async with w.client.post(w.url + "/mcp", json=call("search")) as refused:
                challenge = refused.headers["WWW-Authenticate"]
                assert challenge == f'Bearer resource_metadata="{w.url}{path}"'
            async with w.client.get(w.url + path) as found:
                assert await found.json(content_type=None) == {
                    "resource": w.url + "/mcp",
                    "authorization_servers": [w.server],
                }

    asyncio.run(run())
