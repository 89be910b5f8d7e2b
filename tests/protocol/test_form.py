"""The form of an answer: what changes it, what does not, and that it holds no content."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcpobs.protocol.form import LONG, MAX_FORM, form_of
from mcpobs.protocol.result import MAX_TEXT, read_result


@pytest.mark.parametrize(
    ("value", "form"),
    [
        ({"id": 1, "name": "a", "note": "b"}, "{number,string×2}"),
        ({"id": 1.5, "other": "c", "more": ""}, "{number,string×2}"),
        ({"id": 1, "name": "a", "note": "b" * LONG}, "{long text,number,string}"),
        ({"id": 1, "name": None, "ok": True}, "{boolean,null,number}"),
        ({}, "{}"),
        ([], "[]"),
        ([1, "a", 2], "[number|string]"),
        ({"rows": [{"id": n, "name": "x"} for n in range(500)]}, "{[{number,string}]}"),
        ({"a": {"b": {"c": {"d": 1}}}}, "{{{{…}}}}"),
        ({str(n): n for n in range(65)}, "{…}"),
        ("a", "string"),
        (None, "null"),
    ],
)
def test_an_answer_has_one_form_in_structured_content_and_in_a_text(value: Any, form: str) -> None:
    assert form_of(value) == form
    assert read_result({"content": [], "structuredContent": value}, str).form == (form if value is not None else "()")
    if isinstance(value, dict | list):
        text = {"type": "text", "text": json.dumps(value)}
        assert read_result({"content": [text]}, str).form == form
        assert read_result({"content": [text], "structuredContent": value}, str).form == form


@pytest.mark.parametrize(
    ("content", "form"),
    [
        ([{"type": "text", "text": "plain"}], "(text)"),
        ([{"type": "text", "text": ""}], "(text)"),
        ([{"type": "text", "text": "[broken"}], "(text)"),
        ([{"type": "text", "text": "a"}, {"type": "image", "data": ""}], "(text,image)"),
        ([{"type": "text", "text": "[" + "1," * MAX_TEXT + "1]"}], None),
    ],
)
def test_an_answer_that_is_no_json_has_the_kinds_of_its_blocks(content: list[Any], form: str | None) -> None:
    assert read_result({"content": content}, str).form == form


def test_what_is_no_answer_of_a_tool_has_no_form() -> None:
    assert read_result({"tools": []}, str).form is None


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=30,
)


@given(_JSON)
def test_a_form_is_short_and_holds_nothing_of_the_value(value: Any) -> None:
    form = form_of(value)
    assert len(form) <= MAX_FORM
    assert set(form) <= set("{}[],|×… 0123456789abcdefghijklmnopqrstuvwxyz")
    for word in "".join(c if c.isalpha() or c == " " else "," for c in form).split(","):
        assert word in ("", "null", "boolean", "number", "string", "long text") or form.endswith("…")
