"""Unpacking as the body comes: the same result however it is cut, and never more than the limit. With isal and zlib."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from isal import isal_zlib

from mcpobs.collector import inflate
from mcpobs.collector.inflate import Inflater, Packing, TooLargeError
from mcpobs.collector.intake import RefusedError

LIBRARIES: list[Callable[[int], Any]] = [isal_zlib.decompressobj, zlib.decompressobj]


@pytest.fixture(params=LIBRARIES, ids=["isal", "zlib"], autouse=True, scope="module")
def library(request: pytest.FixtureRequest) -> Any:
    """Where isal has no wheel, zlib does it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inflate, "_decompressobj", request.param)
        patch.setattr(inflate, "_PIECE_BYTES", 1000)
        yield


def unpack(packing: Packing, pieces: list[bytes], limit_bytes: int) -> bytes:
    inflater = Inflater(packing, limit_bytes)
    out = b"".join(inflater.feed(piece) for piece in pieces)
    inflater.end()
    return out


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[n : n + size] for n in range(0, len(data), size)]


contents = st.one_of(st.binary(max_size=3000), st.integers(0, 200_000).map(bytes))


@given(st.lists(contents, min_size=1, max_size=4), st.integers(1, 5000))
def test_members_are_joined_however_the_body_is_cut(members: list[bytes], size: int) -> None:
    body = b"".join(gzip.compress(member) for member in members)
    assert unpack("gzip", cut(body, size), 1_000_000) == b"".join(members)


@given(contents, st.integers(1, 5000))
def test_deflate_is_zlibs_format(content: bytes, size: int) -> None:
    assert unpack("deflate", cut(zlib.compress(content), size), 1_000_000) == content


@given(st.lists(st.integers(0, 3000), min_size=1, max_size=4), st.integers(0, 6000), st.integers(1, 500))
def test_the_limit_is_exact(sizes: list[int], limit_bytes: int, size: int) -> None:
    body = b"".join(gzip.compress(bytes(n)) for n in sizes)
    if sum(sizes) <= limit_bytes:
        assert len(unpack("gzip", cut(body, size), limit_bytes)) == sum(sizes)
    else:
        with pytest.raises(TooLargeError):
            unpack("gzip", cut(body, size), limit_bytes)


@given(contents, st.data())
def test_a_body_that_is_cut_short_is_malformed(content: bytes, data: st.DataObject) -> None:
    body = gzip.compress(content)
    short = body[: data.draw(st.integers(0, len(body) - 1))]
    with pytest.raises(RefusedError) as caught:
        unpack("gzip", [short], 1_000_000)
    assert caught.value.why == "malformed"


@given(st.binary(min_size=1, max_size=300))
def test_noise_is_malformed_or_too_large_and_nothing_else(noise: bytes) -> None:
    for packing in ("gzip", "deflate"):
        for prefix in (b"", gzip.compress(b"x")[:10], b"\x78\x9c"):
            with suppress(RefusedError, TooLargeError):
                assert len(unpack(packing, [prefix + noise], 1000)) <= 1000


@given(st.integers(0, 200), st.integers(0, 255))
def test_a_damaged_byte_does_not_pass(where: int, value: int) -> None:
    body = bytearray(gzip.compress(bytes(range(256)) * 2, mtime=0))
    place = 10 + where % (len(body) - 10)  # of the header only some bytes matter
    if body[place] == value:
        return
    body[place] = value
    with pytest.raises(RefusedError):
        unpack("gzip", [bytes(body)], 100_000)
