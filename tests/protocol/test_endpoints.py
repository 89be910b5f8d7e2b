"""The endpoint event of HTTP+SSE is rewritten however its bytes are cut; no other event changes."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcpobs.protocol.sse import Endpoints, Event, Events

THEIRS, OURS = "http://server:8000", "http://front:1"
LINES = (
    b"event: endpoint", b"event:endpoint", b"data: http://server:8000/x?s=1", b"data:http://server:8000/y", b"data",
    b"event: message", b": ping", b":", b"id: 1", b"", b"", b"", b"data: endpoint", b"retry: 1", b"data: " + b"z" * 40,
)  # fmt: skip


def _ours(url: str) -> str:
    return url.replace(THEIRS, OURS)


def _passed(data: bytes, cuts: list[int], max_bytes: int = 1 << 14) -> bytes:
    endpoints = Endpoints(_ours, max_bytes)
    places = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    return b"".join(endpoints.feed(data[start:end]) for start, end in pairwise(places)) + endpoints.rest()


def _as_ours(event: Event) -> Event:
    return event._replace(data=_ours(event.data.decode()).encode()) if event.name == "endpoint" else event


@given(
    st.lists(st.tuples(st.sampled_from(LINES), st.sampled_from([b"\n", b"\r", b"\r\n"])), max_size=20),
    st.lists(st.integers(0, 300), max_size=8),
    st.booleans(),
)
def test_an_endpoint_leads_here_and_all_else_is_the_same(
    lines: list[tuple[bytes, bytes]], cuts: list[int], with_mark: bool
) -> None:
    data = (b"\xef\xbb\xbf" if with_mark else b"") + b"".join(line + end for line, end in lines)
    assert Events().feed(_passed(data, cuts)) == [_as_ours(event) for event in Events().feed(data)]
    if b"endpoint" not in data:
        assert _passed(data, cuts) == data
    shortly_held = Events().feed(_passed(data, cuts, max_bytes=20))
    assert [(event.name, event.id) for event in shortly_held] == [
        (event.name, event.id) for event in Events().feed(data)
    ]


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_at_every_cut_position_the_endpoint_is_rewritten(end: bytes) -> None:
    data = end.join((b": hello", b"event: endpoint", b"data: http://server:8000/messages?s=1", b"", b""))
    for first in range(len(data)):
        for second in range(first, len(data), 5):
            assert b"http://front:1/messages?s=1" in _passed(data, [first, second])


def test_comments_are_not_held_back() -> None:
    endpoints = Endpoints(_ours)
    assert endpoints.feed(b": ping\n") == b": ping\n"
    assert endpoints.feed(b"data: half") == b""
    assert endpoints.feed(b" a line\n\n: ping\n") == b"data: half a line\n\n: ping\n"


def test_of_an_event_that_is_too_long_only_its_last_bytes_are_held_back() -> None:
    endpoints = Endpoints(_ours, max_bytes=100)
    passed = b"".join(endpoints.feed(b"data: " + b"x" * 50) for _ in range(20))
    assert len(passed) >= 20 * 56 - 100
    assert endpoints.feed(b"\n\nevent: endpoint\ndata: http://server:8000/x\n\n").endswith(
        b"data: http://front:1/x\n\n"
    )
