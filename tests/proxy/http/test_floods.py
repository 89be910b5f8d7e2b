"""Event streams and bodies that are made to cost much: they pass whole, and only so much of them is read."""

from __future__ import annotations

import asyncio
import gzip
import itertools
import json
import zlib
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from mcpobs.protocol.cut import HEAD_BYTES, TAIL_BYTES, Cut
from mcpobs.proxy.http import bodies, codings
from mcpobs.proxy.http.bodies import MOST_WORK, SLICE_BYTES, WORK_PER_S, Copies, Copy, EventBody, JsonBody
from mcpobs.proxy.http.codings import MAX_RATIO
from tests.proxy.http.world import call, event, result, world

S = 1_000_000_000


def _read(body: EventBody, chunk: bytes, at_ns: int = 0) -> list[int]:
    """How many events each slice of the chunk completed."""
    return [len(events) for events in body.feed(chunk, at_ns)]


@pytest.mark.parametrize("unit", [b"data: {}\n\n", b"data\n\n", b"\n", b":\n", b"id:\r\r", b"data:1\r\n\r\n", b"\r"])
@pytest.mark.parametrize("coding", ["identity", "gzip", "deflate"])
def test_of_a_flood_of_small_events_only_so_many_lines_are_read(unit: bytes, coding: str) -> None:
    flood = unit * (2 * MOST_WORK)
    packed = {"identity": bytes, "gzip": gzip.compress, "deflate": zlib.compress}[coding](flood)
    body = EventBody(coding)
    slices = _read(body, packed)
    assert max(slices) <= SLICE_BYTES // len(unit) + 1
    assert sum(slices) <= MOST_WORK
    assert len(flood) - MOST_WORK * len(unit) - SLICE_BYTES <= body.unread_bytes + SLICE_BYTES
    assert body.unread_bytes > 0


def test_after_a_flood_a_stream_is_read_again_from_the_next_event_on() -> None:
    body = EventBody()
    _read(body, b"data: {}\n\n" * MOST_WORK)
    assert _read(body, b"data: hal") == []
    later = S * (MOST_WORK // WORK_PER_S)
    assert [event.data for events in body.feed(b"f\n\ndata: whole\n\n", later) for event in events] == [b"whole"]
    assert _read(body, b"data: 1\n\n" * 10, later) == [10]


def test_a_flood_that_ends_between_two_events_costs_no_further_one() -> None:
    body = EventBody()
    _read(body, b"data: {}\r\n\r\n" * MOST_WORK)
    later = S * (MOST_WORK // WORK_PER_S)
    assert _read(body, b"data: 1\r\n\r\n" * 10, later) == [10]


def test_a_stream_of_honest_events_is_read_for_ever() -> None:
    body = EventBody("gzip")
    packer = zlib.compressobj(wbits=31)
    for number in range(2_000):  # 100 of some size a second
        message = event(result(number, text=f"{number * 7919:x} words and more words " * 20))
        (read,) = _read(body, packer.compress(message) + packer.flush(zlib.Z_SYNC_FLUSH), number * S // 100)
        assert read == 1
    assert body.unread_bytes == 0


def test_a_body_that_grows_too_much_when_it_is_unpacked_is_read_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codings, "MAX_PLAIN_BYTES", 1 << 20)
    monkeypatch.setattr(bodies, "MAX_COPY_BYTES", 1 << 20)
    packed = gzip.compress(b"\0" * (64 << 20))
    given = sum(len(part) for part in codings.inflater("gzip").slices(packed, SLICE_BYTES))
    assert given <= (1 << 20) + MAX_RATIO * len(packed) + SLICE_BYTES
    whole = JsonBody("gzip")
    for _ in whole.feed(packed):
        pass
    assert isinstance(whole.content, Cut)
    assert whole.content.size <= given + SLICE_BYTES


@given(st.lists(st.integers(0, 400), max_size=6), st.sampled_from(["identity", "gzip", "deflate"]), st.booleans())
def test_a_body_is_the_same_however_it_is_cut(cuts: list[int], coding: str, members: bool) -> None:
    text = json.dumps(result(text="some words " * 30)).encode()
    pack = {"identity": bytes, "gzip": gzip.compress, "deflate": zlib.compress}[coding]
    two = members and coding == "gzip"
    packed = pack(text[:100]) + pack(text[100:]) if two else pack(text)
    places = [0, *sorted(min(cut, len(packed)) for cut in cuts), len(packed)]
    body = JsonBody(coding)
    for start, end in pairwise(places):
        for _ in body.feed(packed[start:end]):
            pass
    assert body.content == text


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 60)), max_size=30))
def test_copies_never_hold_more_than_their_limit_and_give_all_back(steps: list[tuple[int, int]]) -> None:
    copies = Copies(100)
    held = [Copy(copies) for _ in range(5)]
    for number, size in steps:
        held[number].hold(size)
        assert 0 <= copies.held_bytes <= 100
    for copy in held:
        copy.hold(0)
    assert copies.held_bytes == 0


def test_a_flood_passes_whole_and_says_how_much_of_it_was_not_read(tmp_path: Path) -> None:
    packed = gzip.compress(b"data: {}\n\n" * 300_000 + event(result()))

    async def flood(request: web.BaseRequest) -> web.StreamResponse:
        stream = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Content-Encoding": "gzip"})
        await stream.prepare(request)
        await stream.write(packed)
        return stream

    async def run() -> None:
        async with world(tmp_path, flood) as w:
            async with w.client.post(w.url + "/mcp", json=call("search")) as response:
                assert await response.read() == packed
            await w.until(lambda: len(w.requests()) == 1)
            assert w.requests()[0]["mcpobs.http.unread.size"] > 1_000_000
            assert w.operations()[0]["outcome"] == "unfinished"  # it may have been answered in what was not read
            assert w.front._context.copies.held_bytes == 0

    asyncio.run(run())


def test_other_requests_are_answered_while_a_flood_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "MOST_WORK", 1 << 40)  # as if all of it were read
    packed = gzip.compress(b"data: {}\n\n" * 300_000)

    async def server(request: web.BaseRequest) -> web.StreamResponse:
        if request.path == "/ping":
            return web.Response(body=b"pong")
        stream = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Content-Encoding": "gzip"})
        await stream.prepare(request)
        await stream.write(packed)
        return stream

    async def run() -> None:
        async with world(tmp_path, server) as w:
            ended: list[str] = []

            async def ask(path: str) -> None:
                async with w.client.post(w.url + path, json=call("search")) as response:
                    await response.read()
                ended.append(path)

            flood = asyncio.create_task(ask("/mcp"))
            await w.until(lambda: any(handler.has_begun for handler in w.front._under_way))
            await ask("/ping")
            await flood
            assert ended == ["/ping", "/mcp"]

    asyncio.run(run())


@pytest.mark.parametrize("side", ["request", "response"])
def test_a_body_of_very_many_values_is_recorded_by_its_ends(tmp_path: Path, side: str) -> None:
    many = [{}] * 2_000_000

    async def server(request: web.BaseRequest) -> web.StreamResponse:
        async for _ in request.content.iter_any():
            pass
        answer = {"jsonrpc": "2.0", "id": 1, "result": {"content": many if side == "response" else [], "isError": True}}
        return web.json_response(answer)

    async def run() -> None:
        async with world(tmp_path, server) as w:
            message = call("search")
            if side == "request":
                message["params"]["arguments"] = {"x": many}

            async def sent() -> AsyncIterator[bytes]:
                yield json.dumps(message).encode()

            async with w.client.post(w.url + "/mcp", data=sent()) as response:
                await response.read()
            (operation,) = w.operations()
            assert operation["outcome"] == "tool_error"
            assert operation["tool"] == "search"

    asyncio.run(run())


_LONG = b"A" * 300_000
_RESPONSE = b'{"jsonrpc":"2.0","id":1,"result":{"content":["%b"],"isError":true}}' % _LONG


@given(st.lists(st.integers(0, len(_RESPONSE)), max_size=5))
def test_of_a_json_body_beyond_the_room_both_ends_and_the_size_are_kept(cuts: list[int]) -> None:
    copies = Copies(100_000)
    body = JsonBody(None, copies)
    for chunk in _cut(_RESPONSE, cuts):
        for _ in body.feed(chunk):
            assert copies.held_bytes <= 100_000
    assert body.content == Cut(_RESPONSE[:HEAD_BYTES], _RESPONSE[-TAIL_BYTES:], len(_RESPONSE))


@given(st.lists(st.integers(0, 2 * len(_RESPONSE)), max_size=5), st.sampled_from([b"\n", b"\r\n"]))
def test_of_an_event_beyond_the_room_both_ends_and_the_size_are_kept(cuts: list[int], end: bytes) -> None:
    stream = end.join([b"event: message", b"id: 7", b"data: " + _RESPONSE, b"", b"data: {}", b"", b""])
    copies = Copies(100_000)
    body = EventBody(None, copies)
    events = [event for chunk in _cut(stream, cuts) for found in body.feed(chunk, 0) for event in found]
    *big, small = events
    assert small.data == b"{}"
    (read,) = big
    data = read.cut or Cut(read.data[:HEAD_BYTES], read.data[-TAIL_BYTES:], len(read.data))  # it may come in one piece
    assert (read.name, read.id, data.size) == ("message", "7", len(_RESPONSE))
    assert _RESPONSE.startswith(data.head)
    assert _RESPONSE.endswith(data.tail)
    assert TAIL_BYTES - len(data.tail) <= len(end * 2)


def _cut(stream: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(min(place, len(stream)) for place in places), len(stream)]
    return [stream[start:end] for start, end in itertools.pairwise(edges)]
