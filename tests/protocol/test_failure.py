"""Which text of a failed answer is the one for people."""

from __future__ import annotations

import json

import pytest
from hypothesis import given

from mcpobs.protocol.failure import text_of_error, text_of_result
from tests.protocol.json_values import wild_values


def failed(*texts: str, **more: object) -> dict[str, object]:
    return {"isError": True, "content": [{"type": "text", "text": text} for text in texts], **more}


@pytest.mark.parametrize(
    ("result", "text"),
    [
        (failed("no such file"), "no such file"),
        (failed("", "  ", "second"), "second"),
        (failed(json.dumps({"error": {"code": 7, "message": "too long"}})), "too long"),
        (failed(json.dumps({"detail": "gone"}, indent=2)), "gone"),
        (failed(json.dumps({"customer": "Ada"})), None),
        (failed("{broken"), "{broken"),
        (failed(structuredContent={"message": "no space"}), "no space"),
        (failed("text", structuredContent={"message": "other"}), "text"),
        ({"isError": True, "content": {"type": "text", "text": "no list"}}, None),
        ({"isError": True}, None),
        (None, None),
    ],
)
def test_the_text_of_a_result(result: object, text: str | None) -> None:
    assert text_of_result(result) == text


@pytest.mark.parametrize(
    ("error", "text"),
    [({"code": 1, "message": "no"}, "no"), ({"code": 1, "message": 5}, None), ("no", None), ({}, None)],
)
def test_the_text_of_an_error(error: object, text: str | None) -> None:
    assert text_of_error(error) == text


@given(wild_values)
def test_any_value_can_be_taken_for_either(value: object) -> None:
    for found in (
        text_of_error(value),
        text_of_result(value),
        text_of_result({"structuredContent": value, "content": value}),
        text_of_error({"message": value}),
    ):
        assert found is None or isinstance(found, str)
