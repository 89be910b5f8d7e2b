"""Server-sent events: split as the HTML standard says, however the stream is cut, within bounds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mcpobs.protocol.sse import Event, Events

_TEXT = st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"]), max_size=8)
_EVENT = st.tuples(_TEXT, st.lists(_TEXT, min_size=1, max_size=3), st.sampled_from(["\n", "\r\n", "\r"]))


def _cut(stream: bytes, places: list[int]) -> list[bytes]:
    ends = sorted({place % (len(stream) + 1) for place in places})
    return [stream[start:end] for start, end in zip([0, *ends], [*ends, len(stream)], strict=True)]


@given(events=st.lists(_EVENT, max_size=5), places=st.lists(st.integers(0, 10_000), max_size=8))
def test_events_come_whole_however_the_stream_is_cut(events: list, places: list[int]) -> None:
    stream, expected = "", []
    for name, data, end in events:
        stream += f": note{end}event: {name}{end}" + "".join(f"data: {line}{end}" for line in data) + end
        expected.append(Event(name or "message", "\n".join(data).encode(), None))
    reader = Events()
    found = [event for chunk in _cut(stream.encode(), places) for event in reader.feed(chunk)]
    assert found == expected


@given(chunks=st.lists(st.binary(max_size=40), max_size=10))
def test_any_bytes_are_taken_and_little_is_kept(chunks: list[bytes]) -> None:
    reader = Events(max_bytes=50)
    for chunk in chunks:
        assert all(len(event.data) <= 50 + 3 for event in reader.feed(chunk))
        assert len(reader._half) <= 51


def test_an_event_that_is_too_large_is_dropped_and_the_next_one_comes() -> None:
    reader = Events(max_bytes=10)
    assert reader.feed(b"data: " + b"x" * 30) == []
    assert reader.feed(b"x" * 30 + b"\ndata: y\n\n") == []
    assert reader.oversized == 1
    assert reader.feed(b"id: 7\ndata: fine\n\n") == [Event("message", b"fine", "7")]


def test_an_event_of_many_lines_is_bounded_as_a_whole() -> None:
    reader = Events(max_bytes=10)
    assert reader.feed(b"data: 123456\ndata: 123456\n\ndata: z\n\n") == [Event("message", b"z", None)]
    assert reader.oversized == 1


def test_an_event_without_data_or_without_its_end_is_none() -> None:
    assert Events().feed(b"event: ping\n\n: comment\n\ndata: half") == []


def test_a_byte_order_mark_and_a_field_without_a_colon() -> None:
    assert Events().feed(b"\xef\xbb\xbfdata: a\ndata\n\n") == [Event("message", b"a\n", None)]
