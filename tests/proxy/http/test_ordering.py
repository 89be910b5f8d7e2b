"""The order in which the requests of a session reach the server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from aiohttp import web

from mcpobs.proxy.http import handler as handler_module
from mcpobs.proxy.http import ordering as ordering_module
from mcpobs.proxy.http.ordering import SessionOrder
from tests.proxy.http.world import World, call, result, world

LONG_S = 60


def test_a_request_waits_until_the_one_before_it_was_sent_and_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ordering_module, "MAX_WAIT_S", LONG_S)

    async def run() -> None:
        order, said = SessionOrder(), list[str]()
        connected, answered = asyncio.Event(), asyncio.Event()

        async def first() -> None:
            async with order.enter("s") as sent:
                await connected.wait()
                said.append("first")
                sent()
                await answered.wait()

        async def second(session: str | None, name: str) -> None:
            async with order.enter(session) as sent:
                said.append(name)
                sent()

        async with asyncio.TaskGroup() as group:
            group.create_task(first())
            group.create_task(second("s", "second"))
            await group.create_task(second("another", "another session"))
            await group.create_task(second(None, "no session"))
            assert said == ["another session", "no session"]
            connected.set()
            await group.create_task(second("s", "third"))
            assert said[2:] == ["first", "second", "third"]
            assert not answered.is_set()
            answered.set()

    asyncio.run(run())


def test_a_request_that_cannot_be_sent_holds_up_the_next_for_a_moment_only() -> None:
    async def run() -> list[str]:
        order, said = SessionOrder(), list[str]()
        stuck = asyncio.Event()

        async def never_sent() -> None:
            async with order.enter("s"):
                said.append("stuck")
                await stuck.wait()

        held_up = asyncio.create_task(never_sent())
        await asyncio.sleep(0)
        async with asyncio.timeout(LONG_S), order.enter("s"):
            said.append("next")
            assert not held_up.done()
        stuck.set()
        await held_up
        assert order._last == {}
        return said

    assert asyncio.run(run()) == ["stuck", "next"]


def test_the_limit_of_one_request_is_that_of_all_that_wait_behind_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ordering_module, "MAX_WAIT_S", 0)

    async def run() -> list[str]:
        order, said = SessionOrder(), list[str]()

        async def wait(name: str) -> None:
            async with order.enter("s"):
                said.append(name)

        async with order.enter("s", LONG_S) as over, asyncio.TaskGroup() as group:
            for name in ("second", "third", "fourth"):
                group.create_task(wait(name))
            for _ in range(20):  # more turns of the loop than it takes to give up
                await asyncio.sleep(0)
            said.append("first")
            over()
        return said

    assert asyncio.run(run()) == ["first", "second", "third", "fourth"]


@pytest.mark.parametrize("how", ["it fails", "it is cancelled", "it is cancelled while it waits"])
def test_a_request_that_is_never_sent_holds_up_no_other(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ordering_module, "MAX_WAIT_S", LONG_S)

    async def run() -> None:
        order, connected = SessionOrder(), asyncio.Event()

        async def lost() -> None:
            async with order.enter("s"):
                if how == "it fails":
                    raise OSError
                await connected.wait()

        async def other() -> bool:
            async with order.enter("s") as sent:
                sent()
            return True

        first = asyncio.create_task(lost())
        waiting = asyncio.create_task(lost()) if how == "it is cancelled while it waits" else first
        await asyncio.sleep(0)
        last = asyncio.create_task(other())
        await asyncio.sleep(0)
        waiting.cancel()
        first.cancel()
        await asyncio.gather(first, waiting, return_exceptions=True)
        assert await asyncio.wait_for(last, 10) is True
        assert order._last == {}

    asyncio.run(run())


@pytest.mark.parametrize("when", ["before it is cancelled", "after it is cancelled"])
def test_who_comes_behind_a_request_that_gave_up_waiting_waits_for_the_one_before_that(
    when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ordering_module, "MAX_WAIT_S", LONG_S)

    async def run() -> list[str]:
        order, said = SessionOrder(), list[str]()

        async def wait(name: str) -> None:
            async with order.enter("s"):
                said.append(name)

        async with order.enter("s") as over, asyncio.TaskGroup() as group:
            gone = group.create_task(wait("gone"))
            await asyncio.sleep(0)
            if when == "before it is cancelled":
                group.create_task(wait("last"))
                await asyncio.sleep(0)
            gone.cancel()
            await asyncio.sleep(0)
            if when == "after it is cancelled":
                group.create_task(wait("last"))
            for _ in range(20):
                await asyncio.sleep(0)
            said.append("first")
            over()
        assert order._last == {}
        return said

    assert asyncio.run(run()) == ["first", "last"]


# -- through the front -----------------------------------------------------------------------------------------


class _Server:
    """Keeps the head of the answer to a GET back, and answers POSTs at once."""

    def __init__(self) -> None:
        self.read: list[str] = []
        self.has_get, self.answer_get = asyncio.Event(), asyncio.Event()

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.method == "POST":
            tool = json.loads(await request.read())["params"]["name"]
            self.read.append(tool)
            return web.json_response(result())
        self.has_get.set()
        await self.answer_get.wait()
        self.read.append("stream")
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        return response


async def _stream(w: World, session: str) -> None:
    async with w.client.get(w.url + "/mcp", headers={"Mcp-Session-Id": session}) as response:
        await response.read()


async def _call(w: World, session: str, tool: str) -> None:
    headers = {"Mcp-Session-Id": session}
    async with w.client.post(w.url + "/mcp", json=call(tool, modern=False), headers=headers) as response:
        assert response.status == 200


def _under_way(w: World, requests: int) -> Callable[[], bool]:
    return lambda: len(w.front._under_way) == requests


def test_a_call_waits_until_the_stream_of_its_session_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server reads its connections in an order of its own: only that it answers proves that it read the GET."""
    monkeypatch.setattr(handler_module, "MAX_STREAM_WAIT_S", LONG_S)

    async def run() -> None:
        server = _Server()
        async with world(tmp_path, server) as w, asyncio.TaskGroup() as group:
            group.create_task(_stream(w, "s"))
            await server.has_get.wait()
            group.create_task(_call(w, "s", "ask the client"))
            await w.until(_under_way(w, 2))
            await _call(w, "t", "of another session")  # came later, and went all the way
            assert server.read == ["of another session"]
            server.answer_get.set()
        assert server.read == ["of another session", "stream", "ask the client"]

    asyncio.run(run())


def test_a_server_may_answer_the_get_with_the_first_event_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handler_module, "MAX_STREAM_WAIT_S", 0.01)

    async def run() -> None:
        server = _Server()
        async with world(tmp_path, server) as w, asyncio.TaskGroup() as group:
            group.create_task(_stream(w, "s"))
            await server.has_get.wait()
            await _call(w, "s", "ask the client")
            assert server.read == ["ask the client"]
            server.answer_get.set()

    asyncio.run(run())


def test_a_stream_that_is_there_holds_up_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handler_module, "MAX_STREAM_WAIT_S", LONG_S)
    monkeypatch.setattr(ordering_module, "MAX_WAIT_S", LONG_S)

    async def run() -> None:
        ended = asyncio.Event()

        async def server(request: web.BaseRequest) -> web.StreamResponse:
            if request.method == "POST":
                return web.json_response(result())
            response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
            await response.prepare(request)
            await ended.wait()
            return response

        async with world(tmp_path, server) as w:
            async with w.client.get(w.url + "/mcp", headers={"Mcp-Session-Id": "s"}) as stream:
                for tool in ("one", "two"):
                    await asyncio.wait_for(_call(w, "s", tool), 10)
                ended.set()
                await stream.read()
            assert [row["tool"] for row in w.operations()] == ["one", "two"]
            assert w.front.order._last == {}

    asyncio.run(run())
