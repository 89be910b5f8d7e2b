import json

import pytest
from hypothesis import given

from mcpobs.protocol.facts import Facts

from .json_values import objects, wild_values
from .talk import KEY, text_result

FACTS = Facts(KEY)
IMAGE = {"type": "image", "data": "", "mimeType": "image/png"}
LONG_LIST = json.dumps(["x" * 100] * 700)


def _read(result):
    facts, items, empty = FACTS.result(result)
    return facts.shape, items, empty


@pytest.mark.parametrize(
    ("result", "shape", "items", "empty"),
    [
        (text_result("hello"), "text", 1, False),
        (text_result("a", "b"), "text", 2, False),
        ({"content": [{"type": "text", "text": "a"}, IMAGE, IMAGE]}, "text,image", 3, False),
        ({"content": [IMAGE, {"type": "text", "text": ""}]}, "image,text", 2, False),
        ({"content": [{"type": "invented"}]}, "other", 1, False),
        ({"content": [5, None]}, "other", 2, False),
        ({"content": {"type": "text", "text": "one block"}, "role": "assistant"}, "text", 1, False),
        ({"content": []}, "", 0, True),
        ({"content": None}, "", 0, True),
        (text_result(""), "text", 1, True),
        (text_result(" \n\t", "\u2003"), "text", 2, True),
        (text_result("null"), "text", 1, True),
        (text_result('""'), "text", 1, True),
        (text_result("0"), "text", 1, False),
        (text_result("[]"), "text", 0, True),
        (text_result("{}"), "text", 1, True),
        (text_result('{"items": [], "total": 0, "next": null}'), "text", 0, True),
        (text_result("[1, 2, 3]"), "text", 3, False),
        (text_result('  {"result": [1, 2]}'), "text", 2, False),
        (text_result('{"items": [1, 2], "total": 9}'), "text", 2, False),
        (text_result('{"name": "x", "tags": [1, 2]}'), "text", 1, False),
        (text_result('{"rows": [1], "items": [1, 2]}'), "text", 1, False),
        (text_result('{"whatever": [1, 2]}'), "text", 2, False),
        (text_result("[1, 2"), "text", 1, False),
        (text_result("[" * 2000 + "]" * 2000), "text", 1, False),
        (text_result(LONG_LIST), "text", 1, False),
        (text_result("[]", "[1]"), "text", 2, False),
        (text_result("[]", "{}"), "text", 2, True),
        (text_result("shown", structuredContent={"result": [1, 2, 3]}), "text,structured{…}", 3, False),
        (text_result("No results", structuredContent={"result": []}), "text,structured{…}", 0, True),
        (text_result("shown", structuredContent={"a": 1}), "text,structured{…}", 1, False),
        ({"content": [], "structuredContent": {"result": None}}, "structured{…}", 1, True),
        ({"structuredContent": {"count": 0}}, "structured{…}", 1, False),
        ({"structuredContent": {}}, "structured{}", 1, True),
        ({"structuredContent": []}, "structured[]", 0, True),
        ({"structuredContent": [{"a": 1}]}, "structured[…]", 1, False),
        ({"structuredContent": 5}, "structured:integer", 1, False),
        ({"structuredContent": ""}, "structured:string", 1, True),
        ({"content": [IMAGE], "structuredContent": {}}, "image,structured{}", 1, False),
        (text_result("[1]", structuredContent=None), "text", 1, False),
        (text_result("", isError=True), "text", 1, False),
        ({"content": [], "isError": True}, "", 0, False),
        ({}, "{}", None, True),
        ({"_meta": {"a": 1}}, "{}", None, True),
        ({"resultType": "complete", "_meta": {}}, "{resultType}", None, True),
        ({"tools": [{}, {}], "nextCursor": "x"}, "{nextCursor,tools}", 2, False),
        ({"tools": []}, "{tools}", 0, True),
        ({"tools": [], "ttlMs": 5, "cacheScope": "public"}, "{cacheScope,tools,ttlMs}", 0, True),
        ({"messages": [{}], "description": "x"}, "{description,messages}", 1, False),
        ({"capabilities": {}, "protocolVersion": "x"}, "{capabilities,protocolVersion}", None, False),
        ({str(number): 1 for number in range(100)}, "{…}", None, False),
        (None, ":null", None, True),
        ([], "[]", 0, True),
        ([1], "[…]", 1, False),
        ("x", ":string", None, False),
        (0, ":integer", None, False),
    ],
    ids=lambda value: repr(value)[:60],
)
def test_a_result_says(result, shape, items, empty):
    assert _read(result) == (shape, items, empty)


def test_a_member_that_the_protocol_does_not_know_is_hashed():
    shape, _, _ = _read({"tools": [], "secret": 1})
    assert shape.startswith("{#")
    assert shape.endswith(",tools}")
    assert "secret" not in shape


@given(wild_values)
def test_any_value_can_be_taken_for_a_result(value):
    for result in (
        value,
        {"content": value},
        {"content": [value], "structuredContent": value},
        {"structuredContent": value, "isError": value},
    ):
        shape, items, empty = _read(result)
        assert isinstance(shape, str)
        assert items is None or items >= 0
        assert empty in (True, False, None)


@given(objects)
def test_structured_content_is_read_like_a_text_that_says_the_same(value):
    text = _read(text_result(json.dumps(value)))
    structured = _read(text_result("shown", structuredContent=value))
    assert text[1:] == structured[1:]
