import json

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mcpobs.protocol.canonical import _StandIns, _written, canonical
from mcpobs.protocol.decode import decode
from mcpobs.protocol.facts import Facts

from .json_values import WILD_NUMBERS, values, wild_values, wordings
from .talk import KEY, text_result

FACTS = Facts(KEY)

DIFFERENT = [
    "1",
    "1.5",
    '"1"',
    "true",
    "0",
    "-0.5",
    "false",
    "null",
    '""',
    "[]",
    "{}",
    "[null]",
    '{"":null}',
    "[1]",
    "[[1]]",
    "[1,1]",
    '["1,1"]',
    '{"a":1}',
    '{"a":[1]}',
    '{"a":1,"b":1}',
    '"a"',
    '"A"',
    '"\\u0000"',
    '"\\ud800"',
    '"\\ud801"',
    '"\\ufffd"',
    '"?"',
    "NaN",
    '"NaN"',
    "Infinity",
    "-Infinity",
    "1e400",
    "18446744073709551615",
    "18446744073709551616",
    "18446744073709551617",
    "18446744073709551616.0",
    "1e100",
    "1" + "0" * 100,
    "9" * 5000,
    "9" * 4999 + "8",
    '{"a":NaN}',
    '{"a":null}',
    "[" * 300 + "1" + "]" * 300,
    "[" * 300 + "2" + "]" * 300,
    "[" * 301 + "1" + "]" * 301,
]


def _digest(text: str) -> str | None:
    """Of the arguments of a request, as they come from the wire."""
    message = decode(b'{"arguments":%b}' % text.encode("utf-8", "surrogatepass"))
    assert isinstance(message, dict), text[:80]
    return FACTS.arguments(message["arguments"], None)[0].digest


EQUAL = [
    ("1", "1.0"),
    ("1", "1e0"),
    ("0", "-0.0"),
    ("-7", "-7.00"),
    ("10000000000000000", "1e16"),
    ("10000000000000000000", "1e19"),
    ("-9223372036854775808", "-9223372036854775808.0"),
    ('{"a":[1,{"b":2}]}', '{"a":[1.0,{"b":2.0}]}'),
    ('["\\ud800",1]', '["\\ud800",1.0]'),
    ("[" * 300 + "1" + "]" * 300, "[" * 300 + "1.0" + "]" * 300),
    ('{"a":".0 e1","b":1}', '{"a":".0 e1","b":1.0}'),
]


@pytest.mark.parametrize(("one", "other"), EQUAL)
def test_equal_numbers_have_equal_digests_however_they_are_written(one: str, other: str) -> None:
    first, second = (canonical(decode(text.encode())) for text in (one, other))
    assert first[0] == second[0]


def test_different_values_have_different_digests():
    digests = [_digest(text) for text in DIFFERENT]
    assert None not in digests
    assert len(set(digests)) == len(DIFFERENT)


@given(st.data(), values)
def test_the_same_value_in_other_words_has_the_same_digest(data, value):
    assert _digest(data.draw(wordings(value))) == _digest(json.dumps(value))


@given(st.data(), wild_values, WILD_NUMBERS)
def test_so_do_surrogates_huge_numbers_and_nan(data, value, number):
    assume("NaN" not in json.dumps(value))
    assume("Infinity" not in json.dumps(value))
    text = '{"z":%s,"a":[%s,"\\ud800"]}'
    other = '{ "a":[%s ,"\\uD800"] ,"z":%s}'
    assert _digest(text % (json.dumps(value), number)) == _digest(other % (number, data.draw(wordings(value))))


@given(st.lists(values, min_size=2, max_size=2))
def test_values_that_differ_as_json_differ_in_their_digests(pair):
    one, other = (json.dumps(value, sort_keys=True) for value in pair)
    assert (_digest(one) == _digest(other)) == (one == other)


@given(values | wild_values)
def test_the_writer_without_recursion_writes_what_the_other_writes(value):
    assert _written(value, _StandIns()) == json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def test_the_same_arguments_are_equal_whatever_else_the_frame_holds():
    plain = decode(b'{"arguments":{"a":1},"other":0}')["arguments"]
    odd = decode(b'{"arguments":{"a":1},"other":[NaN,"\\ud800",99999999999999999999999]}')["arguments"]
    assert FACTS.arguments(plain, None) == FACTS.arguments(odd, None)


def test_the_size_is_that_of_compact_json_in_utf_8():
    deep = "[" * 300 + "NaN" + "]" * 300
    for text in (
        '{ "b" : "é" , "a" : 1 }',
        '{"a":"\\ud800","n":1' + "0" * 40 + "}",
        '{"a":NaN}',
        "{}",
        "null",
        "[NaN,1e400]",
        deep,
    ):
        value = decode(text.encode())
        dumped = text if "NaN" in text else json.dumps(value, separators=(",", ":"), ensure_ascii=False)
        assert FACTS.arguments(value, None)[0].size_bytes == len(dumped.encode("utf-8", "surrogatepass"))


def test_a_value_that_is_very_deep_has_a_digest_and_keeps_it():
    deep: list[object] = []
    for _ in range(200_000):
        deep = [deep]
    assert canonical(deep)[0] == b"\0" + b"[" * 200_001 + b"]" * 200_001
    while deep:  # freed level by level
        deep = deep[0]  # type: ignore[assignment]


def test_digests_are_keyed():
    value = {"path": "/etc/passwd"}
    digests = {Facts(key).arguments(value, None)[0].digest for key in (KEY, KEY[::-1], b"", b"x" * 100, b"x" * 101)}
    assert len(digests) == 5
    assert all(len(digest or "") == 16 for digest in digests)


def test_a_result_is_equal_whatever_its_meta_says():
    bare = FACTS.result(text_result("hello"))
    assert FACTS.result(text_result("hello", _meta={"io.modelcontextprotocol/serverInfo": {"name": "x"}})) == bare
    assert FACTS.result(text_result("hullo"))[0].digest != bare[0].digest


def test_equal_failures_are_equal_whatever_their_data_says():
    def digest(**error):
        return FACTS.error(error).digest

    assert digest(code=1, message="no", data={"at": 1}) == digest(message="no", code=1)
    assert digest(code=1, message="no") != digest(code=2, message="no")
    assert digest(code=1, message="no") != digest(code=1, message="yes")


@pytest.mark.parametrize(
    "error", [None, 5, "x", [], {}, {"code": None}, {"code": 1e308, "message": ["\ud800"]}], ids=repr
)
def test_an_error_of_any_kind_has_a_digest(error):
    assert FACTS.error(error).digest


def test_arguments_that_are_too_deep_have_their_size_only():
    deep = b"[" * 5000 + b"]" * 5000
    message = decode(b'{"params":{"arguments":%b}}' % deep)
    facts, features = FACTS.arguments(message["params"]["arguments"], None)
    assert (facts.digest, facts.shape, facts.size_bytes, features) == (None, None, 10_000, None)


def test_a_result_that_is_too_deep_has_its_size_only():
    deep = b"[" * 5000 + b"]" * 5000
    message = decode(b'{"result":{"content":[],"structuredContent":%b}}' % deep)
    facts, items, empty = FACTS.result(message["result"], 10_042)
    assert (facts.digest, facts.shape, facts.size_bytes, items, empty) == (None, None, 10_042, None, None)
