from __future__ import annotations

from mcpobs.detect.strings import Text, strings


def test_strings_and_keys_come_in_document_order_with_their_paths():
    value = {"a": ["x", {"b": "y"}], "c": 1, "d": None}
    assert list(strings(value)) == [
        Text(("a",), "a", True),
        Text(("a", 0), "x", False),
        Text(("a", 1, "b"), "b", True),
        Text(("a", 1, "b"), "y", False),
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
    assert len(found.path) == 100_000
