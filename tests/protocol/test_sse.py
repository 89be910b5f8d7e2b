"""Server-sent events: split as the HTML standard says, however the stream is cut, within bounds."""

from __future__ import annotations

import re
from itertools import product

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mcpobs.protocol.sse import Event, EventSplitter, Piece, with_data

_TEXT = st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"]), max_size=8)
_EVENT = st.tuples(_TEXT, st.lists(_TEXT, min_size=1, max_size=3), st.sampled_from(["\n", "\r\n", "\r"]))
_LINES = (
    b"data: one", b"data:two", b"data", b"data: \xc3\xa4\xe2\x80\xa8", b"event: note", b"event: endpoint", b"id: 7",
    b"id", b"retry: 10", b": comment", b":", b"", b"", b"", b"unknown: x", b"data: " + b"z" * 30,
)  # fmt: skip
_STREAM = st.tuples(
    st.booleans(),
    st.lists(st.tuples(st.sampled_from(_LINES), st.sampled_from([b"\n", b"\r", b"\r\n"])), max_size=16),
).map(lambda made: (b"\xef\xbb\xbf" if made[0] else b"") + b"".join(line + end for line, end in made[1]))
_CUTS = st.lists(st.integers(0, 10_000), max_size=8)


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    ends = sorted({place % (len(stream) + 1) for place in places})
    return [stream[start:end] for start, end in zip([0, *ends], [*ends, len(stream)], strict=True)]


def _pieces(stream: bytes, places: list[int], max_bytes: int = 1 << 20) -> list[Piece]:
    splitter = EventSplitter(max_bytes)
    found = [piece for chunk in cut(stream, places) for piece in splitter.feed(chunk)]
    return [*found, Piece(splitter.rest())]


def _events(pieces: list[Piece]) -> list[Event]:
    return [piece.event for piece in pieces if piece.event is not None]


def _by_the_standard(stream: bytes) -> list[Event]:
    """The events of a stream by the algorithm of the standard, line by line over all of it."""
    found: list[Event] = []
    name, data, last_id = "", list[bytes](), None
    lines = re.split(rb"\r\n|\n|\r", stream.removeprefix(b"\xef\xbb\xbf"))
    for line in lines[:-1]:
        if not line:
            if data:
                found.append(Event(name or "message", b"\n".join(data), last_id))
            name, data = "", []
            continue
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            data.append(value)
        elif field == b"event":
            name = value.decode()
        elif field == b"id":
            last_id = value.decode()
    return found


@given(events=st.lists(_EVENT, max_size=5), places=_CUTS)
def test_events_come_whole_however_the_stream_is_cut(events: list, places: list[int]) -> None:
    stream, expected = "", []
    for name, data, end in events:
        stream += f": note{end}event: {name}{end}" + "".join(f"data: {line}{end}" for line in data) + end
        expected.append(Event(name or "message", "\n".join(data).encode(), None))
    assert _events(_pieces(stream.encode(), places)) == expected


@given(_STREAM, _CUTS)
def test_the_pieces_joined_are_the_stream_and_its_events_are_those_of_the_standard(
    stream: bytes, places: list[int]
) -> None:
    pieces = _pieces(stream, places)
    assert b"".join(piece.raw for piece in pieces) == stream
    assert _events(pieces) == _by_the_standard(stream)


@given(_STREAM, _CUTS)
def test_an_event_that_is_too_large_is_the_same_one_however_the_stream_is_cut(stream: bytes, places: list[int]) -> None:
    whole, pieces = _pieces(stream, [], max_bytes=20), _pieces(stream, places, max_bytes=20)
    assert b"".join(piece.raw for piece in pieces) == stream
    begun = [sum(piece.excess == "begins" for piece in found) for found in (whole, pieces)]
    assert begun[1] == begun[0]
    assert _events(whole) == _events(pieces)
    assert all(len(piece.raw.rstrip()) <= 20 for piece in pieces if piece.event is not None)


def test_a_comment_of_any_length_belongs_to_no_event_wherever_it_is_cut() -> None:
    lines = [b": x\n", b":" + b"c" * 30 + b"\n", b":cc\r", b"data: a\n", b"data:" + b"y" * 18 + b"\n", b"\n", b"\r\n"]
    for mark in (b"", b"\xef\xbb\xbf"):
        for two in product(lines, repeat=2):
            stream = mark + b"".join(two)
            whole = _pieces(stream, [], max_bytes=20)
            for place in range(1, len(stream)):
                pieces = _pieces(stream, [place], max_bytes=20)
                assert b"".join(piece.raw for piece in pieces) == stream
                assert _events(pieces) == _events(whole)
                begun = [sum(piece.excess == "begins" for piece in found) for found in (whole, pieces)]
                assert begun[0] == begun[1], (stream, place)


@given(chunks=st.lists(st.binary(max_size=40), max_size=10))
def test_any_bytes_are_taken_and_little_is_kept(chunks: list[bytes]) -> None:
    splitter = EventSplitter(max_bytes=50)
    for chunk in chunks:
        assert all(len(piece.raw) <= 53 for piece in splitter.feed(chunk) if piece.event is not None)
        assert splitter.held_bytes <= 52


def test_an_event_that_is_too_large_is_given_out_as_it_comes_and_the_next_one_is_read() -> None:
    splitter = EventSplitter(max_bytes=20)
    assert splitter.feed(b"data: " + b"x" * 30) == [Piece(b"data: " + b"x" * 30, None, "begins")]
    assert splitter.feed(b"xx\ndata: y\n\n") == [Piece(b"xx\ndata: y\n\n", None, "goes on")]
    assert splitter.oversized == 1
    assert splitter.feed(b"id: 7\ndata: fine\n\n") == [Piece(b"id: 7\ndata: fine\n\n", Event("message", b"fine", "7"))]


def test_an_event_without_data_or_without_its_end_is_none() -> None:
    assert _events(_pieces(b"event: ping\n\n: comment\n\ndata: half", [])) == []


def test_a_comment_and_a_blank_line_are_not_held_back() -> None:
    splitter = EventSplitter()
    assert splitter.feed(b": ping\n") == [Piece(b": ping\n")]
    assert splitter.feed(b"\n") == [Piece(b"\n")]
    assert splitter.feed(b"data: half") == []
    assert [piece.raw for piece in splitter.feed(b" a line\n\n: ping\n")] == [b"data: half a line\n\n", b": ping\n"]


def test_an_event_of_very_many_chunks_is_read_in_linear_time() -> None:
    """Looking at all that is held for each chunk takes minutes here."""
    splitter = EventSplitter()
    assert splitter.feed(b"data: ") == []
    for _ in range(300_000):
        assert splitter.feed(b"ab") == []
    (piece,) = splitter.feed(b"\n\n")
    assert piece.event is not None
    assert (len(piece.raw), len(piece.event.data)) == (600_008, 600_000)


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_data_is_replaced_and_every_other_line_stays(end: bytes) -> None:
    lines = [b"\xef\xbb\xbf: note", b"id: 1", b"data: one", b"event: a", b"data: two", b"", b""]
    replaced = [*lines[:2], b"data: new", b"data: er", b"event: a", b"", b""]
    assert with_data(end.join(lines), b"new\ner") == end.join(replaced)
    assert with_data(b"\xef\xbb\xbfdata: x" + end * 2, b"y") == b"\xef\xbb\xbfdata: y" + end * 2


@example(b"data: one\rdata: one\n\n", [], b"")
@example(b"data: one\rid: 7\rdata: one\n\n", [], b"x")
@given(_STREAM, _CUTS, st.binary(max_size=5).filter(lambda data: not re.search(rb"[\r\n]", data)))
def test_replaced_data_is_what_a_client_reads_however_the_stream_was_cut(
    stream: bytes, places: list[int], data: bytes
) -> None:
    def edited(pieces: list[Piece]) -> bytes:
        return b"".join(with_data(piece.raw, data) if piece.event is not None else piece.raw for piece in pieces)

    written = edited(_pieces(stream, places))
    assert written == edited(_pieces(stream, []))
    assert _by_the_standard(written) == [event._replace(data=data) for event in _by_the_standard(stream)]
