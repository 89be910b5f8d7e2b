"""A body is rewritten message by message however its bytes were cut, and without a change it is the same bytes."""

from __future__ import annotations

import asyncio
import gzip
import json
import zlib
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcpobs.protocol.sse import EventSplitter, Piece, with_data
from mcpobs.proxy.http.rewriting import Edit, Rewriter, Splitter, WholeBody
from tests.protocol.test_sse import cut

LINES = (
    b"event: endpoint", b"event:endpoint", b"data: http://server:8000/x?s=1", b"data:http://server:8000/y", b"data",
    b"event: message", b": ping", b":", b"id: 1", b"", b"", b"", b"data: endpoint", b"retry: 1", b"data: " + b"z" * 40,
)  # fmt: skip
STREAMS = st.tuples(
    st.booleans(),
    st.lists(st.tuples(st.sampled_from(LINES), st.sampled_from([b"\n", b"\r", b"\r\n"])), max_size=20),
).map(lambda made: (b"\xef\xbb\xbf" if made[0] else b"") + b"".join(line + end for line, end in made[1]))
CUTS = st.lists(st.integers(0, 10_000), max_size=8)
CODINGS: dict[str, Callable[[bytes], bytes]] = {"identity": bytes, "gzip": gzip.compress, "deflate": zlib.compress}


def _same(piece: Piece) -> bytes:
    return piece.raw


async def _same_later(piece: Piece) -> bytes:
    await asyncio.sleep(0)
    return piece.raw


def _here(piece: Piece) -> bytes:
    """An endpoint leads here; every event gets another one behind it that says so."""
    if piece.event is None or piece.event.name != "endpoint":
        return piece.raw
    return with_data(piece.raw, piece.event.data.replace(b"server:8000", b"front:1")) + b": rewritten\n"


def _rewritten(chunks: list[bytes], splitter: Splitter, edit: Edit, coding: str = "identity") -> tuple[bytes, bytes]:
    """What was written, and what was shown."""
    written, shown = list[bytes](), list[bytes]()

    async def run() -> None:
        async def write(part: bytes) -> None:
            written.append(part)

        async def show(part: bytes) -> None:
            shown.append(part)

        rewriter = Rewriter(splitter, coding, edit, show=show, write=write)
        for chunk in chunks:
            await rewriter.feed(chunk)
        await rewriter.end()

    asyncio.run(run())
    return b"".join(written), b"".join(shown)


@given(STREAMS, CUTS, st.sampled_from(list(CODINGS)), st.sampled_from([20, 1 << 20]))
def test_a_stream_that_no_edit_changes_is_the_same_bytes(
    stream: bytes, cuts: list[int], coding: str, max_bytes: int
) -> None:
    packed = CODINGS[coding](stream)
    for edit in (_same, _same_later):
        assert _rewritten(cut(packed, cuts), EventSplitter(max_bytes), edit, coding) == (stream, stream)


@given(STREAMS, CUTS, st.sampled_from(list(CODINGS)), st.sampled_from([20, 1 << 20]))
def test_a_stream_is_rewritten_to_the_same_bytes_however_it_was_cut(
    stream: bytes, cuts: list[int], coding: str, max_bytes: int
) -> None:
    whole, _ = _rewritten([stream], EventSplitter(max_bytes), _here)
    packed = CODINGS[coding](stream)
    assert _rewritten(cut(packed, cuts), EventSplitter(max_bytes), _here, coding)[0] == whole


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_at_every_cut_position_an_endpoint_is_rewritten(end: bytes) -> None:
    stream = end.join((b": hello", b"event: endpoint", b"data: http://server:8000/messages?s=1", b"", b""))
    ours = stream.replace(b"server:8000", b"front:1")
    for first in range(len(stream)):
        for second in range(first, len(stream), 5):
            chunks = [stream[:first], stream[first:second], stream[second:]]
            written, _ = _rewritten(chunks, EventSplitter(), _here)
            assert written.replace(b": rewritten\n", b"") == ours


@given(st.binary(max_size=200), CUTS, st.sampled_from(list(CODINGS)), st.sampled_from([50, 1 << 20]))
def test_a_whole_body_is_one_message_unless_it_is_too_large(
    body: bytes, cuts: list[int], coding: str, max_bytes: int
) -> None:
    def upper(piece: Piece) -> bytes:
        return b"<%b>" % piece.raw if piece.event is not None and piece.event.data == piece.raw else piece.raw

    written, shown = _rewritten(cut(CODINGS[coding](body), cuts), WholeBody(max_bytes), upper, coding)
    assert shown == body
    assert written == (body if len(body) > max_bytes or not body else b"<%b>" % body)


def test_an_edit_may_drop_and_add_messages() -> None:
    def edit(piece: Piece) -> bytes:
        if piece.event is None:
            return piece.raw
        number = json.loads(piece.event.data)
        return b"" if number == 2 else piece.raw + b"data: %d\n\n" % (10 * number)

    written, _ = _rewritten([b"data: 1\n\ndata: 2\n\n", b"data: 3\n\n"], EventSplitter(), edit)
    assert written == b"data: 1\n\ndata: 10\n\ndata: 3\n\ndata: 30\n\n"


def test_an_edit_that_waits_holds_up_no_message_before_its_own() -> None:
    async def run() -> None:
        go_on, first = asyncio.Event(), asyncio.Event()
        written: list[bytes] = []

        async def second(piece: Piece) -> bytes:
            await go_on.wait()
            return piece.raw

        def edit(piece: Piece) -> bytes | Awaitable[bytes]:
            return second(piece) if b"2" in piece.raw else piece.raw

        async def write(part: bytes) -> None:
            written.append(part)
            first.set()

        async def show(part: bytes) -> None:
            pass

        rewriter = Rewriter(EventSplitter(), None, edit, show=show, write=write)
        fed = asyncio.create_task(rewriter.feed(b"data: 1\n\ndata: 2\n\n"))
        await first.wait()
        assert written == [b"data: 1\n\n"]
        go_on.set()
        await fed
        assert written == [b"data: 1\n\n", b"data: 2\n\n"]

    asyncio.run(run())


def test_a_damaged_coding_ends_the_rewriting() -> None:
    with pytest.raises(zlib.error):
        _rewritten([gzip.compress(b"data: 1\n\n")[:-9] + b"x" * 9], EventSplitter(), _same, "gzip")
