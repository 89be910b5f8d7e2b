"""Hypothesis strategies for JSON: values, and texts that say a value in another way."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

WILD_NUMBERS = st.sampled_from(
    [
        "NaN",
        "Infinity",
        "-Infinity",
        "1e400",
        "-1e999",
        "9" * 5000,
        "1" + "0" * 30,
        "-0",
        "-0.0",
        "18446744073709551616",
    ]
)

texts = st.text(st.characters(codec="utf-8"), max_size=20)
wild_texts = st.text(max_size=20)  # lone surrogates too
numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
scalars = st.none() | st.booleans() | numbers | texts


def _containers(values: st.SearchStrategy[Any], keys: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    return st.lists(values, max_size=5) | st.dictionaries(keys, values, max_size=5)


values = st.recursive(scalars, lambda below: _containers(below, texts), max_leaves=20)
wild_values = st.recursive(
    scalars | wild_texts | st.floats(), lambda below: _containers(below, wild_texts), max_leaves=20
)
objects = st.dictionaries(texts, values, max_size=6)


@st.composite
def wordings(draw: st.DrawFn, value: Any) -> str:
    """The value as JSON text with other spacing, other key order and other escapes."""
    space = draw(st.sampled_from(["", " ", "\n", "\t ", "\r\n"]))
    match value:
        case dict():
            names = draw(st.permutations(list(value)))
            pairs = [f"{draw(_quoted(name))}{space}:{space}{draw(wordings(value[name]))}" for name in names]
            return "{" + space + f"{space},{space}".join(pairs) + space + "}"
        case list():
            return "[" + space + f",{space}".join(draw(wordings(item)) for item in value) + space + "]"
        case str():
            return draw(_quoted(value))
        case _:
            return json.dumps(value)


def _quoted(text: str) -> st.SearchStrategy[str]:
    plain, escaped = json.dumps(text, ensure_ascii=False), json.dumps(text)
    every = "".join(f"\\u{unit:04x}" for unit in _units(text))
    return st.sampled_from([plain, escaped, f'"{every}"'])


def _units(text: str) -> list[int]:
    raw = text.encode("utf-16-be", "surrogatepass")
    return [raw[at] << 8 | raw[at + 1] for at in range(0, len(raw), 2)]
