"""Request targets: what reaches the server is what the client wrote, and no other server is ever contacted."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from aiohttp import web
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from yarl import URL

from mcpobs.proxy.http.own_urls import same_place
from mcpobs.proxy.http.targets import TargetError, origin_form
from mcpobs.proxy.http.upstream import request_head
from tests.proxy.http.world import world

METHODS = ("GET", "POST", "CONNECT", "OPTIONS", "HEAD", "DELETE", "PUT", "PATCH", "TRACE", "PROPFIND", "QUERY")


class Server:
    """A server that keeps the first line of each request, and how often it was connected to."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.connections = 0
        self.port = 0

    @property
    def authority(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            self.lines.append(head.partition(b"\r\n")[0])
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def raw_server(host: str = "127.0.0.1") -> AsyncIterator[Server]:
    found = Server()
    listening = await asyncio.start_server(found.serve, host, 0)
    found.port = listening.sockets[0].getsockname()[1]
    async with listening:
        yield found


async def sent(url: str, data: bytes) -> bytes:
    """What comes back for these bytes until the connection ends."""
    at = URL(url)
    reader, writer = await asyncio.open_connection(at.host, at.port)
    try:
        writer.write(data)
        await writer.drain()
        return await reader.read()
    except ConnectionError:
        return b""
    finally:
        await closed(writer)


async def closed(writer: asyncio.StreamWriter) -> None:
    """Closes, and waits for that: an unclosed transport fails the test that runs when it is collected."""
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


async def _unused(request: web.BaseRequest) -> web.StreamResponse:
    raise AssertionError("the raw server is the upstream")


EVIL, OWN, UPSTREAM = "<evil>", "<own>", "<upstream>"
_WORDS = (
    f"{EVIL} {OWN} {UPSTREAM} http:// https:// HTTP:// ws:// x:// // / \\ @ : a:b@ ? # * . .. %2e%2e %0d%0a %00 %zz ; "
    "[::1] localhost :80 x é \xff"
).split(" ")
_parts = st.sampled_from([*_WORDS, " ", "\t"])
_targets = st.one_of(st.lists(_parts, max_size=6).map("".join), st.text(max_size=12))
_requests = st.lists(st.tuples(st.sampled_from(METHODS), _targets), min_size=10, max_size=25)


def _line(method: str, target: str, places: dict[str, str]) -> bytes:
    for name, place in places.items():
        target = target.replace(name, place)
    target = target.replace("\r", "").replace("\n", "")
    return b"%b %b HTTP/1.1" % (method.encode(), target.encode("latin-1", "ignore" if "\xff" in target else "replace"))


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(_requests)
def test_no_request_target_leads_to_another_server_or_is_changed_on_its_way(
    tmp_path_factory: pytest.TempPathFactory, requests: list[tuple[str, str]]
) -> None:
    async def run() -> None:
        async with raw_server() as upstream, raw_server() as evil:
            folder = tmp_path_factory.mktemp("targets")
            async with world(folder, _unused, upstream=f"http://{upstream.authority}") as w:
                own = w.url.removeprefix("http://")
                places = {EVIL: evil.authority, OWN: own, UPSTREAM: upstream.authority}
                for method, target in requests:
                    line = _line(method, target, places)
                    reached = len(upstream.lines)
                    answer = await sent(w.url, line + b"\r\nHost: %b\r\nConnection: close\r\n\r\n" % own.encode())
                    assert evil.connections == 0, line
                    assert answer.startswith(b"HTTP/"), line
                    if len(upstream.lines) == reached:
                        _is_a_refusal(method, answer)
                    else:
                        assert method != "CONNECT"
                        assert _one_meaning(line, own, upstream.authority) == upstream.lines[reached], line
                assert not [line for line in w.warnings if "Traceback" in line or "could not be observed" in line]

    asyncio.run(run())


def _is_a_refusal(method: str, answer: bytes) -> None:
    head, _, body = answer.partition(b"\r\n\r\n")
    status = int(head.split()[1])
    if method == "OPTIONS" and status == 204:
        return
    assert 400 <= status < 500, head
    if method != "HEAD":
        assert json.loads(body)["error"]["message"].startswith("mcpobs: ")
        assert b"\n" not in body


def _one_meaning(line: bytes, own: str, upstream: str) -> bytes:
    """The line as the server is to get it: an absolute target that names the front or the server is its path."""
    method, _, rest = line.partition(b" ")
    target, _, version = rest.rpartition(b" ")
    target = target.strip(b" ")
    if not target.startswith(b"/"):
        rest = target.partition(b"://")[2]
        ends = [place for place in map(rest.find, (b"/", b"?", b"#")) if place >= 0]
        cut = min(ends, default=len(rest))
        authority, target = rest[:cut].decode("latin-1"), rest[cut:]
        assert any(same_place(f"http://{authority}", f"http://{known}") for known in (own, upstream)) or (
            "localhost" in authority
        )
        if not target.startswith(b"/"):
            target = b"/" + target
    return b" ".join((method, target, version))


_ODD = ("/", "//evil/x", "/@evil/", "/\\@evil", "/.evil", "/:80/", "/x?#", "/?@evil", "/x?", "/../x", "/%2e%2e")


@pytest.mark.parametrize(("path", "root"), [("", "/"), ("/base", "/base")])
def test_every_target_reaches_the_upstream_as_it_was_written(tmp_path: Path, path: str, root: str) -> None:
    async def run() -> None:
        async with raw_server() as upstream:
            async with world(tmp_path, _unused, upstream=f"http://{upstream.authority}{path}") as w:
                for target in _ODD:
                    head = f"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
                    await sent(w.url, head.encode())
            expected = [root, *_ODD[1:]] if not path else [root, *(t.replace("/?@", "/base?@") for t in _ODD[1:])]
            assert upstream.lines == [f"GET {target} HTTP/1.1".encode() for target in expected]

    asyncio.run(run())


@pytest.mark.parametrize("target", ["/x y", "/x\r\nHost: evil", "/x\n", "/x\0"])
def test_a_target_that_would_end_its_line_makes_no_head(target: str) -> None:
    with pytest.raises(ValueError, match="line end"):
        request_head("GET", target, ["Host: h"], None, None)
    with pytest.raises(ValueError, match="line end"):
        request_head("GET", "/", [f"X: {target[2:]}\r"], None, None)


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        ("CONNECT", "h:1", 405),
        ("CONNECT", "@h:1", 405),
        ("CONNECT", "/x", 405),
        ("GET", "*", 400),
        ("GET", "", 400),
        ("GET", "?x", 400),
        ("GET", "@h/x", 400),
        ("GET", "ftp://us/x", 400),
        ("GET", "http://them/x", 421),
        ("GET", "http://me@us/x", 421),
        ("GET", "http://", 421),
        ("GET", "/\udcff", 400),
    ],
)
def test_a_target_that_is_no_path_here_is_refused(method: str, target: str, status: int) -> None:
    with pytest.raises(TargetError) as refused:
        origin_form(method, target, lambda authority: authority == "us")
    assert refused.value.status == status


@pytest.mark.parametrize(
    ("target", "path"), [("http://us/x?y", "/x?y"), ("HTTP://us", "/"), ("https://us?x", "/?x"), ("/x?", "/x?")]
)
def test_an_absolute_target_that_names_us_is_its_path(target: str, path: str) -> None:
    assert origin_form("GET", target, lambda authority: authority == "us") == path


def test_an_absolute_target_without_a_path_asks_about_the_server_as_a_whole() -> None:
    assert origin_form("OPTIONS", "http://us", lambda authority: authority == "us") == "*"
    assert origin_form("OPTIONS", "http://us/", lambda authority: authority == "us") == "/"


def test_the_server_is_reached_at_an_ipv6_address(tmp_path: Path) -> None:
    async def run() -> None:
        async with raw_server("::1") as upstream:
            async with world(tmp_path, _unused, upstream=f"http://[::1]:{upstream.port}") as w:
                for target in ("/x?", f"http://[::1]:{upstream.port}/x?"):
                    await sent(w.url, f"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
            assert upstream.lines == [b"GET /x? HTTP/1.1"] * 2

    asyncio.run(run())


def test_every_refused_request_is_recorded_with_its_reason(tmp_path: Path) -> None:
    async def run() -> None:
        async with raw_server() as upstream:
            async with world(tmp_path, _unused, upstream=f"http://{upstream.authority}") as w:
                for line in ("CONNECT @h:1", "GET http://them/x", "GET x://y", "OPTIONS *", "GET ", "BAD\x00 /"):
                    await sent(w.url, f"{line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
                rows = w.requests()
            assert upstream.connections == 0
            assert [(row["http_status"], row.get("mcpobs.http.rejection")) for row in rows] == [
                (405, "method_not_allowed"),
                (421, "misdirected"),
                (400, "bad_request"),
                (204, None),
                (400, "bad_request"),
                (400, "bad_request"),
            ]
            assert {row["url.path"] for row in rows} == {"/", "/*"}

    asyncio.run(run())
