"""The strict reader: what it refuses, that the plain decoder agrees with it, and that cuts of a stream mean nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcpobs.protocol import frames
from mcpobs.protocol.decode import decode
from mcpobs.protocol.frames import Fault, Frame
from mcpobs.protocol.lines import WholeLines

from .json_values import wild_values

CALL = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":{}}}'
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda below: st.lists(below, max_size=3) | st.dictionaries(TEXTS, below, max_size=3),
    max_leaves=6,
)
MESSAGES = st.fixed_dictionaries(
    {"jsonrpc": st.just("2.0"), "method": TEXTS},
    optional={"id": st.integers() | TEXTS, "params": st.dictionaries(TEXTS, PLAIN, max_size=4)},
) | st.fixed_dictionaries({"jsonrpc": st.just("2.0"), "id": st.integers() | TEXTS, "result": PLAIN})


def refused(frame: bytes, **limits: int) -> tuple[int, str] | None:
    found = frames.read(frame, **limits)
    return (found.code, found.reason) if isinstance(found, Fault) else None


@pytest.mark.parametrize(
    ("frame", "code", "reason"),
    [
        (CALL[:-1], -32700, "broken_json"),
        (b"", -32700, "broken_json"),
        (CALL + CALL, -32700, "several_values"),
        (b"\xef\xbb\xbf" + CALL, -32700, "byte_order_mark"),
        (CALL.replace(b'"a"', b'"\xff"'), -32700, "invalid_utf8"),
        (CALL.replace(b'"a"', b'"\\ud800"'), -32700, "broken_json"),
        (CALL.replace(b"{}", b'{"v":NaN}'), -32700, "not_a_number"),
        (CALL.replace(b"{}", b'{"v":-Infinity}'), -32700, "not_a_number"),
        (CALL.replace(b"{}", b'{"v":1e400}'), -32700, "not_a_number"),
        (CALL.replace(b"{}", b'{"v":%b}' % (b"9" * 500)), -32600, "number_too_long"),
        (CALL.replace(b"{}", b'{"v":%b}' % (b"[" * 5000 + b"]" * 5000)), -32600, "too_deep"),
        (CALL.replace(b"{}", b'{"v":{"a":1,"a":2}}'), -32600, "duplicate_key"),
        (CALL.replace(b"{", b'{"id":2,', 1), -32600, "duplicate_key"),
        (CALL.replace(b'"id":1', b'"id":1,"Id":2'), -32600, "keys_equal_up_to_case"),
        (CALL.replace(b'"method"', b'"Method"'), -32600, "keys_equal_up_to_case"),
        (CALL.replace(b'"name"', b'"NAME"'), -32600, "keys_equal_up_to_case"),
        (CALL.replace(b'"params"', '"paramſ"'.encode()), -32600, "keys_equal_up_to_case"),
        (b'{"x":[\r' + CALL + b"\r]}", -32700, "carriage_return"),
        (CALL.replace(b'"2.0"', b'"1.0"'), -32600, "no_message"),
        (CALL.replace(b'"jsonrpc":"2.0",', b""), -32600, "no_message"),
        (CALL.replace(b'"id":1', b'"id":null'), -32600, "no_message"),
        (CALL.replace(b'"id":1', b'"id":1.0'), -32600, "no_message"),
        (CALL.replace(b'"id":1', b'"id":true'), -32600, "no_message"),
        (CALL.replace(b'"id":1', b'"id":1,"result":{}'), -32600, "no_message"),
        (CALL.replace(b'"tools/call"', b"7"), -32600, "no_message"),
        (CALL.replace(b'{"name":"a","arguments":{}}', b'["a"]'), -32600, "no_message"),
        (b'{"jsonrpc":"2.0","id":1}', -32600, "no_message"),
        (b'{"jsonrpc":"2.0","id":1,"result":{},"error":{"code":1,"message":"m"}}', -32600, "no_message"),
        (b'{"jsonrpc":"2.0","result":{}}', -32600, "no_message"),
        (b"7", -32600, "no_message"),
        (b"[]", -32600, "batch_size"),
        (b"[1]", -32600, "no_message"),
        (b"[" + b",".join([CALL] * 1001) + b"]", -32600, "batch_size"),
        (
            b'[{"jsonrpc":"2.0","id":1,"method":"m","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"x"}}}]',
            -32600,
            "batch_of_the_modern_era",
        ),
    ],
)
def test_a_frame_that_readers_may_differ_on_is_refused(frame: bytes, code: int, reason: str) -> None:
    assert refused(frame) == (code, reason)


def test_a_frame_over_the_cap_is_refused_before_it_is_read() -> None:
    assert refused(CALL, max_bytes=len(CALL)) is None
    assert refused(CALL, max_bytes=len(CALL) - 1) == (-32600, "too_large")


@pytest.mark.parametrize(
    "frame",
    [
        CALL,
        b" \t" + CALL + b" ",
        CALL.replace(b"{}", b'{"to":1,"To":2}'),  # the user's data, unless a rule of the policy reads it
        CALL.replace(b"{}", b'{"v":123456789012345678901234567890}'),
        CALL.replace(b"{}", '{"v":"\u2028 é"}'.encode()),
        b'{"jsonrpc":"2.0","method":"notifications/x"}',
        b'{"jsonrpc":"2.0","method":"notifications/x","params":null}',
        b'{"jsonrpc":"2.0","id":"a","result":null}',
        b'{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"m"}}',
        b'{"jsonrpc":"2.0","id":1,"result":{},"error":null}',
        b"[" + CALL + b" ,\n " + CALL + b"]",
    ],
)
def test_what_all_read_alike_is_taken_with_its_own_bytes(frame: bytes) -> None:
    found = frames.read(frame)
    assert isinstance(found, Frame)
    for message, raw in found.messages:
        assert decode(raw) == message
        assert raw in frame


@given(MESSAGES | st.lists(MESSAGES, min_size=1, max_size=3), st.booleans())
def test_what_the_strict_reader_takes_the_plain_decoder_reads_alike(value: Any, spaced: bool) -> None:
    frame = json.dumps(value, ensure_ascii=False, separators=None if spaced else (",", ":")).encode()
    found = frames.read(frame)
    if isinstance(found, Frame):
        read = [message for message, _ in found.messages]
        assert (read if found.is_batch else read[0]) == decode(frame)


@given(wild_values | MESSAGES)
def test_no_value_makes_the_reader_raise(value: Any) -> None:
    assert isinstance(frames.read(json.dumps(value).encode()), Fault | Frame)


@given(st.binary(max_size=200))
def test_no_bytes_make_the_reader_raise(raw: bytes) -> None:
    found = frames.read(raw)
    frames.sole_id(raw)
    assert isinstance(found, Fault) or json.loads(raw) is not None


@given(MESSAGES, st.dictionaries(TEXTS, PLAIN, max_size=3))
def test_other_params_change_nothing_else(message: dict[str, Any], params: dict[str, Any]) -> None:
    raw = json.dumps(message, ensure_ascii=False).encode()
    if isinstance(frames.read(raw), Frame) and "method" in message:
        assert decode(frames.with_params(raw, params)) == {**message, "params": params}


@pytest.mark.parametrize(
    ("frame", "found"),
    [
        (b'{"id":7,"method":"m","method":"n"}', b"7"),
        (b'{"id": "a\\u0041" ,"x":NaN}', b'"a\\u0041"'),
        (b'{"id":7,"id":8}', b"null"),
        (b'{"id":7,"ID":8}', b"null"),
        (b'{"id":1.5}', b"null"),
        (b'{"id":{"a":1}}', b"null"),
        (b'{"id":7', b"null"),
        (b'{"id":7}{}', b"null"),
        (b"[7]", b"null"),
        (b"", b"null"),
    ],
)
def test_the_id_of_a_refused_frame_is_given_only_if_it_is_sure(frame: bytes, found: bytes) -> None:
    assert frames.sole_id(frame) == found


# -- lines ------------------------------------------------------------------------------------------------

STREAMS = st.lists(
    st.sampled_from([b"\n", b"\r\n", b"\r", b"a", b"{}", b"x" * 9, "é".encode(), b"\x00"]), max_size=20
).map(b"".join)


def split(stream: bytes, cuts: list[int], max_bytes: int = 16) -> list[tuple[bytes, bytes, bool]]:
    lines = WholeLines(max_bytes)
    at, found = 0, []
    for cut in [*sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]:
        found += lines.feed(stream[at:cut])
        at = cut
    return [tuple(line) for line in found + lines.rest()]  # type: ignore[misc]


@given(STREAMS, st.lists(st.integers(0, 200), max_size=6))
def test_however_a_stream_is_cut_its_lines_are_the_same(stream: bytes, cuts: list[int]) -> None:
    assert split(stream, cuts, 1 << 20) == split(stream, [], 1 << 20)
    assert b"".join(content + end for content, end, _ in split(stream, cuts, 1 << 20)) == stream


@given(STREAMS, st.lists(st.integers(0, 200), max_size=6))
def test_a_line_over_the_limit_is_given_once_and_the_next_one_is_whole(stream: bytes, cuts: list[int]) -> None:
    whole = stream.split(b"\n")
    found = split(stream, cuts)
    for content, _, is_cut in found:
        assert is_cut == (len(content) > 16)
        assert any(line.startswith(content) for line in whole)
    long = [line for line in whole if len(line.removesuffix(b"\r")) > 16]
    assert len([line for line in found if line[2]]) == len(long)
