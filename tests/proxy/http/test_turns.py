"""The order in which the requests of a session go out to the server."""

from __future__ import annotations

import asyncio

import pytest

from mcpobs.proxy.http import turns as turns_module
from mcpobs.proxy.http.turns import Turns


def test_a_request_waits_until_the_one_before_it_was_sent_and_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns_module, "MAX_WAIT_S", 60)

    async def run() -> None:
        turns, said = Turns(), list[str]()
        connected, answered = asyncio.Event(), asyncio.Event()

        async def first() -> None:
            async with turns.take("s") as sent:
                await connected.wait()
                said.append("first")
                sent()
                await answered.wait()

        async def second(session: str | None, name: str) -> None:
            async with turns.take(session) as sent:
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
    async def run() -> None:
        turns = Turns()
        async with turns.take("s"), asyncio.timeout(30), turns.take("s") as sent:
            sent()

    asyncio.run(run())


@pytest.mark.parametrize("how", ["it fails", "it is cancelled", "it is cancelled while it waits"])
def test_a_request_that_is_never_sent_holds_up_no_other(how: str) -> None:
    async def run() -> None:
        turns, connected = Turns(), asyncio.Event()

        async def lost() -> None:
            async with turns.take("s"):
                if how == "it fails":
                    raise OSError
                await connected.wait()

        async def other() -> bool:
            async with turns.take("s") as sent:
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
        assert await asyncio.wait_for(last, 10)

    asyncio.run(run())
