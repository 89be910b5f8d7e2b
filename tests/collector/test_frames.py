"""HTTP/2 frames are followed wherever the bytes are cut."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from mcpobs.collector.frames import DATA, GOAWAY, HEADERS, RST_STREAM, Frame, Frames
from tests.collector.http2 import frame

KINDS = st.sampled_from([DATA, HEADERS, RST_STREAM, GOAWAY, 4, 6, 8, 200])
FRAMES = st.lists(st.tuples(KINDS, st.integers(0, 255), st.integers(0, 2**31 - 1), st.binary(max_size=700)), max_size=8)


@given(FRAMES, st.lists(st.integers(0, 3000)), st.booleans())
def test_frames_are_the_same_wherever_the_bytes_are_cut(
    sent: list[tuple[int, int, int, bytes]], cuts: list[int], kept: bool
) -> None:
    data = b"".join(frame(*one) for one in sent)
    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    frames = Frames(kept)
    got = [found for start, end in pairwise(places) for found in frames.feed(data[start:end])]
    keeps = (HEADERS, RST_STREAM, GOAWAY) if kept else ()
    assert got == [
        Frame(kind, flags, stream, len(payload), payload[:512] if kind in keeps else b"")
        for kind, flags, stream, payload in sent
    ]


def test_a_payload_of_16_mib_is_passed_over_without_keeping_it() -> None:
    frames = Frames(kept=True)
    assert list(frames.feed(frame(HEADERS, 0, 1, bytes((1 << 24) - 1))[:-1])) == []
    [found] = frames.feed(b"\0")
    assert (found.size, len(found.payload)) == ((1 << 24) - 1, 512)
