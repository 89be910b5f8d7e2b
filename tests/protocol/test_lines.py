import itertools
import random
import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from mcpobs.protocol.cut import HEAD_BYTES, TAIL_BYTES, Cut, Ends
from mcpobs.protocol.lines import Lines

streams = st.lists(
    st.sampled_from([b"{", b"}", b"\n", b"\r", b"\r\n", b" ", b"\t", b"ab", b"\xff", b"\0"]), max_size=60
).map(b"".join)


def _expected(stream: bytes, max_bytes: int = 1 << 30) -> tuple[list[bytes | Cut], int]:
    whole = stream.split(b"\n")[:-1]
    shown = [_shown(line, max_bytes) for line in whole]
    return [line for line in shown if line is not None], sum(len(line) > max_bytes for line in whole)


def _shown(line: bytes, max_bytes: int) -> bytes | Cut | None:
    if len(line) <= max_bytes:
        return line.removesuffix(b"\r") if line.strip() else None
    ends = Ends()
    ends.add(line)
    return ends.cut()


def _chunks(stream: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    return [stream[start:end] for start, end in itertools.pairwise(edges)]


@given(streams, st.lists(st.integers(0, 120)))
def test_the_lines_do_not_depend_on_how_the_stream_is_cut(stream, cuts):
    lines = Lines()
    found = [line for chunk in _chunks(stream, cuts) for line in lines.feed(chunk)]
    assert found == _expected(stream)[0]
    assert lines.oversized == 0


@given(streams, st.lists(st.integers(0, 120)), st.integers(0, 12))
def test_a_line_over_the_limit_is_cut_and_counted_however_it_is_cut(stream, cuts, limit):
    lines = Lines(max_bytes=limit)
    found = [line for chunk in _chunks(stream + b"\n", cuts) for line in lines.feed(chunk)]
    assert (found, lines.oversized) == _expected(stream + b"\n", limit)


def test_an_oversized_line_is_counted_before_it_ends():
    lines = Lines(max_bytes=4)
    assert lines.feed(b"12345") == []
    assert lines.oversized == 1
    assert lines.feed(b"678") == []
    assert lines.feed(b"9\nab\n") == [Cut(b"123456789", b"", 9), b"ab"]
    assert lines.oversized == 1


def test_half_a_line_waits_for_its_other_half():
    lines = Lines()
    assert lines.feed(b'{"id"') == []
    assert lines.feed(b":1}\r") == []
    assert lines.feed(b"\n[") == [b'{"id":1}']
    assert lines.feed(b"]\n") == [b"[]"]


def test_a_carriage_return_alone_does_not_end_a_line():
    assert Lines().feed(b"a\rb\n") == [b"a\rb"]


def test_a_line_of_ten_megabytes_in_small_chunks_comes_whole_and_costs_its_size_in_memory():
    line = random.Random(1).randbytes(10 << 20).replace(b"\n", b" ").replace(b"\r", b" ")
    stream = line + b"\n"
    lines, found = Lines(), []
    tracemalloc.start()
    try:
        for at in range(0, len(stream), 64):
            found += lines.feed(stream[at : at + 64])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found == [line]
    assert peak < 3 * len(line)


def test_a_line_that_never_ends_costs_no_more_than_the_limit():
    lines = Lines(max_bytes=1 << 20)
    tracemalloc.start()
    try:
        for _ in range(4096):
            assert lines.feed(b"x" * 4096) == []
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert lines.oversized == 1
    assert peak < 3 << 20


@given(st.integers(1, 3 * (HEAD_BYTES + TAIL_BYTES)), st.lists(st.integers(0, 300_000), max_size=6))
def test_the_ends_of_a_long_message_do_not_depend_on_how_it_is_cut(size, cuts):
    message = random.Random(size).randbytes(size - 1) + b"}"
    ends = Ends()
    for chunk in _chunks(message, cuts):
        ends.add(chunk)
    head, tail, counted = ends.cut()
    assert (head, counted) == (message[:HEAD_BYTES], size)
    assert tail == message[HEAD_BYTES:][-TAIL_BYTES:]


def test_a_line_with_a_byte_order_mark_is_left_out_if_no_client_reads_it():
    lines = Lines(skips_marks=True)
    assert lines.feed(b"\xef\xbb\xbf{}\n") == lines.feed(b"\xef\xbb\xbf{}\n\n") == []
    assert lines.feed(b"{}\n") == [b"{}"]
