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
from tests.gate.judges import ByName
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


REQUESTS: dict[str, object] = {
    "call": call("search", 1, False),
    "modern": call("search"),
    "later": call("later", 1, False),
    "rewritten": call("rewrite", 1, False),
    "replaced": call("mask", 1, False),
    "notification": INITIALIZED,
    "batch": [call("search", 1, False), call("search", 2, False), INITIALIZED],
    "partly denied": [call("search", 1, False), call("deny", 2, False)],
}


@pytest.mark.parametrize("headers", [{}, {"Mcp-Session-Id": "s"}])
@pytest.mark.parametrize("status", sorted(STATUSES))
@pytest.mark.parametrize("name", REQUESTS)
def test_a_followed_redirect_is_one_decision_and_one_row_a_message(
    tmp_path: Path, name: str, status: int, headers: dict[str, str]
) -> None:
    got: list[tuple[str, object]] = []

    async def server(request: web.BaseRequest) -> web.StreamResponse:
        asked = json.loads(await request.read())
        got.append((request.path, asked))
        if request.path == "/mcp":
            body = json.dumps(result(1, "not to be read"))
            return web.Response(
                status=status, headers={"Location": "/mcp/"}, text=body, content_type="application/json"
            )
        answers = [result(each["id"]) for each in (asked if isinstance(asked, list) else [asked]) if "id" in each]
        if not answers:
            return web.Response(status=202)
        return web.json_response(answers if isinstance(asked, list) else answers[0])

    async def run() -> None:
        judge = ByName()
        message = REQUESTS[name]
        messages = message if isinstance(message, list) else [message]
        async with world(tmp_path, server, judge=judge) as w:
            for _ in range(2):
                await _follow(w, message, headers)
        rows = w.operations()
        begun = [tool for step, _, tool, _ in judge.seen if step == "begin"]
        assert len(begun) == len(judge.over) == len(rows) == 2 * len(messages)
        denied = sum(row["outcome"] == "denied" for row in rows)
        assert denied == 2 * (name == "partly denied")
        assert {row["outcome"] for row in rows} - {"denied"} == {"ok"}
        assert [path for path, _ in got] == ["/mcp", "/mcp/"] * 2
        assert got[0][1] == got[1][1], "the server gets at both places what the judge let pass"
        assert w.refused() == []

    asyncio.run(run())


@pytest.mark.parametrize("differs", ["Authorization", "Mcp-Session-Id", "body", "path"])
def test_another_request_does_not_go_on_with_what_was_decided_of_one(tmp_path: Path, differs: str) -> None:
    async def run() -> None:
        judge = ByName()
        message, headers = call("search", modern=False), {"Authorization": "Bearer a", "Mcp-Session-Id": "a"}
        async with world(tmp_path, _server(307, "/mcp/"), judge=judge) as w:  # type: ignore[arg-type]
            async with w.client.post(w.url + "/mcp", json=message, headers=headers, allow_redirects=False) as response:
                assert response.status == 307
            other = call("search", 2, False) if differs == "body" else message
            at = "/other/" if differs == "path" else "/mcp/"
            async with w.client.post(w.url + at, json=other, headers={**headers, differs: "Bearer b"}) as response:
                await response.read()
        assert len([step for step, *_ in judge.seen if step == "begin"]) == 2
        assert sorted(row["outcome"] for row in w.operations()) == ["ok", "unfinished"]

    asyncio.run(run())


def test_a_followed_call_is_decided_anew_the_next_time(tmp_path: Path) -> None:
    async def run() -> None:
        judge = ByName()
        async with world(tmp_path, _server(307, "/mcp/"), judge=judge) as w:  # type: ignore[arg-type]
            await _follow(w, call("search"), {})
            async with w.client.post(w.url + "/mcp/", json=call("search")) as response:
                await response.read()
        assert len([step for step, *_ in judge.seen if step == "begin"]) == len(w.operations()) == 2

    asyncio.run(run())


@pytest.mark.parametrize("follows", [True, False])
@pytest.mark.parametrize("judge", [None, ByName()])
def test_a_call_that_is_cancelled_before_its_client_follows_is_cancelled(
    tmp_path: Path, follows: bool, judge: ByName | None
) -> None:
    headers = {"Mcp-Session-Id": "s"}
    cancel = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}

    async def run() -> None:
        async with world(tmp_path, _server(307, "/mcp/"), judge=judge) as w:  # type: ignore[arg-type]
            message = call("search", 1, False)
            async with w.client.post(w.url + "/mcp", json=message, headers=headers, allow_redirects=False):
                pass
            await _follow(w, cancel, headers)
            if follows:
                async with w.client.post(w.url + "/mcp/", json=message, headers=headers) as response:
                    await response.read()
        rows = [(row["method"], row["outcome"]) for row in w.operations()]
        assert sorted(rows) == [("notifications/cancelled", "ok"), ("tools/call", "cancelled")]

    asyncio.run(run())


def test_a_redirected_call_has_one_span_of_its_own_at_both_places(tmp_path: Path) -> None:
    parents: list[str] = []

    async def server(request: web.BaseRequest) -> web.StreamResponse:
        parents.append(json.loads(await request.read())["params"]["_meta"]["traceparent"])
        if request.path == "/mcp":
            return web.Response(status=307, headers={"Location": "/mcp/"})
        return web.json_response(result())

    async def run() -> None:
        async with world(tmp_path, server, propagate=True) as w:
            await _follow(w, call("search"), {})
        (row,) = w.operations()
        assert [parent.split("-")[2] for parent in parents] == [row["span_id"]] * 2

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
