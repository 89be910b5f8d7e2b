import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcpobs.protocol.decode import Opaque, RawNumber, decode

from .json_values import values, wordings


@given(st.data(), values)
def test_a_frame_is_what_the_standard_library_says_it_is(data, value):
    frame = data.draw(wordings(value)).encode()
    assert _same(decode(frame), json.loads(frame))


@given(st.binary(max_size=80))
def test_no_bytes_raise_and_json_is_read(frame):
    found = decode(frame)
    try:
        plain = json.loads(frame.decode())
    except ValueError:
        return
    assert (found is None) == (plain is None)


@pytest.mark.parametrize(
    "digits",
    ["18446744073709551616", "-9223372036854775809", "9" * 100, "-" + "8" * 4000 + "1"],
    ids=lambda digits: f"{len(digits)} digits",
)
def test_an_integer_beyond_64_bits_stays_exact(digits):
    for frame in (f"[{digits}]", f"[ {digits} ]", f'{{"a":[1,{digits}]}}'):
        found = decode(frame.encode())
        while isinstance(found, list | dict):
            found = list(found.values() if isinstance(found, dict) else found)[-1]
        if len(digits) > 4000:
            assert isinstance(found, RawNumber)
            assert (found.text, found.is_integer) == (digits, True)
        else:
            assert (type(found), found) == (int, int(digits))


@pytest.mark.parametrize("before", range(13))
@pytest.mark.parametrize("digits", ["9" * 20, "-9223372036854775809"])
def test_an_integer_beyond_64_bits_stays_exact_wherever_it_begins(before, digits):
    for after in range(13):
        found = decode(f'["{"x" * before}",{digits},"{"x" * after}"]'.encode())
        assert found == ["x" * before, int(digits), "x" * after]


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "1e400", "-1E+999", "7" * 5000])
def test_a_number_that_python_cannot_carry_is_kept_as_its_text(text):
    (found,) = decode(f"[{text}]".encode())
    assert isinstance(found, RawNumber)
    assert found.text == text


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        (b'["\\ud800"]', ["\ud800"]),
        (b'\xef\xbb\xbf["bom"]', ["bom"]),
        (b'["\xff\xfe"]', ["\udcff\udcfe"]),
        (b' \t["spaced"] \r', ["spaced"]),
        (b'{"a":1,"a":2}', {"a": 2}),
    ],
    ids=repr,
)
def test_what_peers_take_is_taken(frame, expected):
    assert decode(frame) == expected


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b" ",
        b"{",
        b'{"id":1',
        b"{'id':1}",
        b'{"id":1,}',
        b'["\t"]',
        b"1 2",
        b'{"a":1}{"b":2}',
        b"\xff",
        b"[1e]",
        b"nul",
    ],
    ids=repr,
)
def test_invalid_json_is_nothing(frame):
    assert decode(frame) is None


@pytest.mark.parametrize("depth", [1500, 500_000])
def test_of_a_frame_that_is_too_deep_the_outside_is_read(depth):
    deep = b"[" * depth + b"]" * depth
    frame = (
        b'{"jsonrpc":"2.0","id":7,"method":"old","method":"tools/call",'
        b'"params":{"name":"dig","_meta":{"progressToken":7,"x":%b},"arguments":{"a":%b}}}' % (deep, deep)
    )
    message = decode(frame)
    assert isinstance(message, dict)
    assert (message["jsonrpc"], message["id"], message["method"]) == ("2.0", 7, "tools/call")
    params = message["params"]
    assert params["name"] == "dig"
    assert params["_meta"]["progressToken"] == 7
    assert isinstance(params["arguments"], Opaque)
    assert params["arguments"].raw == b'{"a":%b}' % deep


def test_of_a_batch_that_is_too_deep_every_message_is_read():
    deep = b"[" * 5000 + b"]" * 5000
    found = decode(b'[{"id":1,"result":{"content":%b}},{"id":2,"result":{}}]' % deep)
    assert isinstance(found, list)
    assert [message["id"] for message in found] == [1, 2]
    assert isinstance(found[0]["result"]["content"], Opaque)
    assert found[1]["result"] == {}


def test_half_of_a_frame_that_is_too_deep_is_nothing():
    frame = b'{"id":1,"method":"x","params":' + b"[" * 5000
    found = decode(frame)
    assert not isinstance(found, dict)


def _same(one, other):
    """Equal, with 1, 1.0 and true distinct."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return list(one) == list(other) and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, float):
        return one == other and math.copysign(1, one) == math.copysign(1, other)
    return one == other
