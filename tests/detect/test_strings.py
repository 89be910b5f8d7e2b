from __future__ import annotations

import pytest

from mcpobs.detect.strings import MOST_DEPTH, Text, strings


def test_strings_and_keys_come_in_document_order_with_their_paths():
    value = {"a": ["x", {"b": "y"}], "c": 1, "d": None}
    assert list(strings(value)) == [
        Text(("a",), "a", True),
        Text(("a", 0), "x", False, "a"),
        Text(("a", 1, "b"), "b", True, "a"),
        Text(("a", 1, "b"), "y", False, "b"),
        Text(("c",), "c", True),
        Text(("d",), "d", True),
    ]


def test_a_bare_string_has_an_empty_path():
    assert list(strings("x")) == [Text((), "x", False)]


def test_depth_is_not_bounded_by_recursion():
    value: object = "deep"
    for _ in range(100_000):
        value = [value]
    (found,) = strings(value)
    assert found.text == "deep"
    assert found.is_deep
    assert len(found.path) == MOST_DEPTH


def test_what_lies_deep_is_labelled_by_its_own_key():
    value: object = {"token": ["x"]}
    for _ in range(200):
        value = {"a": value}
    assert [(text.text, text.key) for text in strings(value)][-2:] == [("token", "a"), ("x", "token")]


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (4155550123, "4155550123"),
        (4155550123.0, "4155550123"),
        (-4155550123, "-4155550123"),
        (415555.5, None),
        (1e300, None),
        pytest.param(10**5000, None, id="huge"),
        (float("inf"), None),
        (float("nan"), None),
        (True, None),
        (123456, None),
    ],
)
def test_long_integers_are_texts_however_they_are_written(number: float, text: str | None):
    assert [found.text for found in strings([number], numbers=True)] == ([] if text is None else [text])
