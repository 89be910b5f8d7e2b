import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcpobs.protocol.envelope import elements, members, skip_space, value_end

from .json_values import objects, values, wordings

damaged = [
    b"{",
    b'{"a"',
    b'{"a":',
    b'{"a":1',
    b'{"a":1,',
    b'{"a":1,}',
    b'{"a" 1}',
    b'{"a":[}',
    b'{"a":[1}]',
    b'{"a":{]}',
    b'{"a":"x}',
    b'{"a":"x\\"}',
    b"{a:1}",
    b'{"a":nope}',
    b'{"a":1 "b":2}',
    b'{"\\x":1}',
    b'{"a":[[{]}]]}',
]


@given(st.data(), objects)
def test_the_members_are_those_that_a_parser_finds(data, value):
    frame = data.draw(wordings(value)).encode()
    found = members(frame, 0)
    assert found is not None
    assert found.end == len(frame)
    assert {item.name: json.loads(frame[item.start : item.end]) for item in found.items} == value


@given(st.data(), st.lists(values, max_size=6))
def test_the_elements_are_those_that_a_parser_finds(data, value):
    frame = data.draw(wordings(value)).encode()
    found = elements(frame, 0)
    assert found is not None
    assert [json.loads(frame[start:end]) for start, end in found] == value


@given(st.data(), values, st.sampled_from(["", "]", "}", ",", " ", ']}"']))
def test_a_value_ends_where_it_ends_whatever_follows(data, value, rest):
    text = data.draw(wordings(value)).strip().encode()
    assert value_end(text + rest.encode(), 0) == len(text)


@pytest.mark.parametrize("frame", damaged, ids=repr)
def test_a_damaged_object_has_no_members(frame):
    assert members(frame, 0) is None


@given(st.binary(max_size=60) | st.text('{}[]",:\\ a1', max_size=60).map(str.encode))
def test_nothing_raises_for_any_bytes(data):
    members(b"{" + data, 0)
    elements(b"[" + data, 0)
    value_end(data, 0)
    skip_space(data, 0)


@given(st.text('{}[]",:\\ a1', max_size=12))
def test_what_a_parser_takes_as_an_object_is_never_damaged(text):
    try:
        value = json.loads(text)
    except ValueError:
        return
    if isinstance(value, dict):
        found = members(text.encode(), skip_space(text.encode(), 0))
        assert found is not None
        assert {item.name: json.loads(text.encode()[item.start : item.end]) for item in found.items} == value


def test_doubled_members_are_all_found_in_their_order():
    frame = b'{"a":1,"b":2,"\\u0061":3}'
    found = members(frame, 0)
    assert found is not None
    assert [(item.name, frame[item.start : item.end]) for item in found.items] == [
        ("a", b"1"),
        ("b", b"2"),
        ("a", b"3"),
    ]


def test_a_million_levels_are_no_deeper_than_one():
    deep = b"[" * 1_000_000 + b"]" * 1_000_000
    frame = b'{"id":1,"deep":' + deep + b',"mixed":' + b'[{"a":' * 200_000 + b"1" + b"}]" * 200_000 + b',"last":true}'
    found = members(frame, 0)
    assert found is not None
    assert [item.name for item in found.items] == ["id", "deep", "mixed", "last"]


def test_an_object_with_more_members_than_any_message_is_not_read():
    frame = b"{" + b",".join(b'"%d":0' % number for number in range(20_000)) + b"}"
    assert members(frame, 0) is None
