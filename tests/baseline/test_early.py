"""A call that was recorded before its tool was declared counts under its names, if the digest key is here."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcpobs import keys
from mcpobs.baseline import early
from mcpobs.baseline.traffic import Pair, Shape
from mcpobs.protocol.declared import declared_by_schema
from mcpobs.protocol.facts import Facts
from mcpobs.reports import early as reports_early

KEY = b"k" * 32
FACTS = Facts(KEY)
VALUES: list[dict[str, Any]] = [
    {"path": "x"},
    {"path": "x", "limit": 3},
    {"b": 1, "a": "x", "c": None},
    {"where": {"name": "x", "tags": ["a"]}, "limit": 1.5},
    {"rows": [{"id": 1}, {"id": 1, "name": "x"}]},
    {"deep": {"er": {"still": [[{"x": True}]]}}},
    {"ключ": "значение", "two words": 1},
]


def _hash(name: str) -> str:
    return name if name.startswith("#") else "#" + FACTS.text_digest(name)[:6]


def _schema(value: Any) -> dict[str, Any]:
    if isinstance(value, dict):
        return {"type": "object", "properties": {name: _schema(below) for name, below in value.items()}}
    if isinstance(value, list):
        return {"type": "array", "items": {"anyOf": [_schema(item) for item in value]}}
    return {}


def _shape(value: dict[str, Any], *, is_declared: bool) -> str:
    facts, _ = FACTS.arguments(value, declared_by_schema(_schema(value)) if is_declared else None)
    assert facts.shape is not None
    return facts.shape


def _used(shape: str, tool: str = "t", session: str = "s") -> Shape:
    return Shape(tool, shape, 1, 1, Pair(session, None), 5)


@pytest.mark.parametrize("value", VALUES, ids=str)
def test_a_call_before_the_declaration_counts_as_one_after_it(value: dict[str, Any]) -> None:
    early_one, named_one = _shape(value, is_declared=False), _shape(value, is_declared=True)
    assert early_one != named_one
    (found,) = early.named([_used(early_one), _used(named_one)], {}, _hash)
    assert (found.shape, found.calls) == (named_one, 2)
    assert [one.shape for one in early.named([_used(early_one)], {"t": (named_one,)}, _hash)] == [named_one]


@pytest.mark.parametrize(("one", "other"), list(itertools.permutations(VALUES, 2)), ids=str)
def test_other_arguments_stay_what_they_are(one: dict[str, Any], other: dict[str, Any]) -> None:
    unknown = _shape(one, is_declared=False)
    assert [s.shape for s in early.named([_used(unknown)], {"t": (_shape(other, is_declared=True),)}, _hash)] == [
        unknown
    ]
    assert early.named([_used(unknown)], {"another tool": (_shape(one, is_declared=True),)}, _hash)[0].shape == unknown


@given(st.dictionaries(st.text("abc", min_size=1, max_size=3), st.sampled_from(["x", 1, None]), min_size=1, max_size=4))
def test_an_undeclared_name_beside_declared_ones_stays_unusual(value: dict[str, Any]) -> None:
    injected = {**value, "zzz": "x"}
    facts, _ = FACTS.arguments(injected, declared_by_schema(_schema(value)))
    listed = {"t": (_shape(value, is_declared=True),)}
    assert early.named([_used(str(facts.shape))], listed, _hash)[0].shape == facts.shape
    assert early.named([_used(_shape(injected, is_declared=False))], listed, _hash)[0].shape not in listed["t"]


def test_without_the_key_nothing_is_named(tmp_path: Path) -> None:
    lake, config = tmp_path / "lake", tmp_path / "config"
    key = keys.digest_key(keys.open_folder(lake), config)
    hash_name = reports_early.hash_of(lake, config)
    assert hash_name is not None
    assert hash_name("path") == "#" + Facts(key).text_digest("path")[:6]
    assert reports_early.hash_of(lake, tmp_path / "elsewhere") is None
    shapes = [_used("{#a1b2c3:string}"), _used("{path:string}")]
    assert early.named(shapes, {}, None) == shapes
