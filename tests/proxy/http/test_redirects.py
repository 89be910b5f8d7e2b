"""A call that is redirected is the one that the client makes at the new place."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from aiohttp import web
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from yarl import URL

from mcpobs.proxy.http import redirects as redirects_module
from mcpobs.proxy.http.redirects import STATUSES, Hop, Redirected, Redirects
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


class Waiting(RuleBasedStateMachine):
    """Redirects against a model: a plain list of what waits, and what became of each request."""

    def __init__(self) -> None:
        super().__init__()
        self.redirects: Redirects[int] = Redirects()
        self.now = 0
        self.waiting: list[tuple[Hop, int]] = []
        self.given_up: list[int] = []
        self.followed: list[int] = []
        self.expected: list[int] = []  # given up, in this order
        self.made = 0

    @rule(peer=st.sampled_from("ab"), path=st.sampled_from(["/x", "/y"]))
    def is_redirected(self, peer: str, path: str) -> None:
        hop, number = Hop(peer, path, b"request"), self.made
        self.made += 1
        self.now += 1
        if len(self.waiting) == MOST:
            self.expected.append(self.waiting.pop(0)[1])
        self.waiting.append((hop, number))
        self.redirects.add(Redirected(hop, self.now, number, self.given_up.append))

    @rule(peer=st.sampled_from("abc"), path=st.sampled_from(["/x", "/y"]))
    def is_followed(self, peer: str, path: str) -> None:
        found = next((one for one in self.waiting if one[0] == Hop(peer, path, b"request")), None)
        assert self.redirects.follow(peer, path, b"request") == (None if found is None else found[1])
        if found is not None:
            self.waiting.remove(found)
            self.followed.append(found[1])

    @rule()
    def nobody_follows(self) -> None:
        self.expected += [number for _, number in self.waiting]
        self.waiting.clear()
        self.redirects.give_up()

    @invariant()
    def each_request_waits_or_is_followed_or_given_up_once(self) -> None:
        assert len(self.redirects) == len(self.waiting)
        assert self.given_up == self.expected
        every = [*self.given_up, *self.followed, *(number for _, number in self.waiting)]
        assert sorted(every) == [*range(self.made)]


MOST = 5


def test_each_redirected_request_is_followed_or_given_up_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redirects_module, "MAX_WAITING", MOST)
    run_state_machine_as_test(Waiting, settings=settings(max_examples=50, stateful_step_count=30))
