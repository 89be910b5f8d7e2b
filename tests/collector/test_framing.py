"""Where a body ends on its connection, however its bytes are cut."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcpobs.collector.framing import Chunks, Framing, FramingError, Length, framing_of

CHUNKED = {
    "plain": (b"3\r\nabc\r\n0\r\n\r\n", 3),
    "nothing": (b"0\r\n\r\n", 0),
    "long sizes": (b"00000003\r\nabc\r\n000\r\n\r\n", 3),
    "upper and lower case": (b"a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n", 20),
    "extensions": (b'3 ; name="va;lue"\r\nabc\r\n0;last\r\n\r\n', 3),
    "trailers": (b"3\r\nabc\r\n0\r\nx: y\r\nz: 0\r\n\r\n", 3),
    "data that looks like an end": (b"7\r\n0\r\n\r\n0\r\r\n0\r\n\r\n", 7),
}


def fed(framing: Framing, data: bytes, cuts: list[int]) -> int:
    """Feeds data in pieces and returns how many bytes were taken."""
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    taken = 0
    for start, end in pairwise(places):
        piece = framing.feed(data[start:end])
        taken += piece
        if piece < end - start:
            break
    return taken


@given(case=st.sampled_from(list(CHUNKED.values())), cuts=st.lists(st.integers(0, 100)), behind=st.binary(max_size=9))
def test_a_chunked_body_ends_at_its_end_however_it_is_cut(
    case: tuple[bytes, int], cuts: list[int], behind: bytes
) -> None:
    body, body_bytes = case
    framing = Chunks()
    assert fed(framing, body + behind, cuts) == len(body)
    assert framing.ended
    assert (framing.body_bytes, framing.framing_bytes) == (body_bytes, framing.framing_bytes)
    assert framing.body_bytes + framing.framing_bytes == len(body)


@given(length=st.integers(0, 50), cuts=st.lists(st.integers(0, 100)), behind=st.binary(max_size=9))
def test_a_body_of_a_known_length_ends_there(length: int, cuts: list[int], behind: bytes) -> None:
    framing = framing_of({b"content-length": str(length).encode()})
    assert isinstance(framing, Length)
    assert fed(framing, bytes(length) + behind, cuts) == length
    assert framing.ended
    assert (framing.body_bytes, framing.framing_bytes) == (length, 0)


@pytest.mark.parametrize("name", CHUNKED)
def test_a_chunked_body_has_not_ended_before_its_last_byte(name: str) -> None:
    framing = Chunks()
    framing.feed(CHUNKED[name][0][:-1])
    assert not framing.ended


@pytest.mark.parametrize(
    "wrong",
    [
        b"zz\r\n",
        b"-1\r\n",
        b"0x1\r\n",
        b"\r\n",
        b" 1\r\n",
        b"1\n",
        b"123456789\r\n",
        b"1\r\nxy\r\n",
        b"1\r\nx\n",
        b"1;\x00\r\n",
    ],
)
def test_a_broken_chunk_is_an_error(wrong: bytes) -> None:
    with pytest.raises(FramingError):
        Chunks().feed(wrong)


def test_the_last_coding_frames_a_body() -> None:
    assert isinstance(framing_of({b"transfer-encoding": b"gzip, Chunked "}), Chunks)
    with pytest.raises(FramingError):
        framing_of({b"transfer-encoding": b"chunked, gzip"})
    assert framing_of({}).ended
