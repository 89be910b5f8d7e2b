"""Of a large configuration only what leads to servers is looked into; what is shown of it does not depend on that."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcpobs.setup import difference, masking, plan
from mcpobs.setup.clients import CLAUDE_CODE
from mcpobs.setup.json_document import JsonDocument
from mcpobs.setup.located import MalformedError, Node

SCALAR = st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
VALUE = st.recursive(
    SCALAR, lambda v: st.lists(v, max_size=12) | st.dictionaries(st.text(max_size=3), v, max_size=5), max_leaves=60
)
LAYOUTS = CLAUDE_CODE.layouts


def _nodes(node: Node) -> int:
    return 1 + sum(map(_nodes, [*node.items, *(m.node for m in node.members)]))


def _configuration(history: Any, count: int = 1) -> dict[str, Any]:
    project = {"history": history, "mcpServers": {"a": {"command": "x"}}, "after": history}
    return {"before": history, "projects": {f"/p{n}": project for n in range(count)}, "end": history}


@given(VALUE, st.sampled_from([None, 2, "\t"]))
def test_the_servers_and_the_lines_around_them_are_those_of_the_whole_document(value: Any, indent: Any) -> None:
    text = json.dumps(_configuration(value), indent=indent, ensure_ascii=False)
    whole, skipping = JsonDocument.parse(text), JsonDocument.parse(text, LAYOUTS)
    assert skipping.entries(LAYOUTS) == whole.entries(LAYOUTS)
    shown = [plan._shown(document, CLAUDE_CODE).split("\n") for document in (whole, skipping)]
    assert len(shown[0]) == len(shown[1])
    differences = []
    for lines in shown:
        at = next(n for n, line in enumerate(lines) if '"command"' in line)
        changed = [*lines[:at], "changed", *lines[at + 1 :]]
        differences.append(list(difference.unified(lines, changed, "f")))
    assert differences[0] == differences[1]


@given(VALUE.filter(lambda v: isinstance(v, dict | list)))
def test_a_skipped_value_shows_no_scalar_and_keeps_its_lines(value: Any) -> None:
    text = json.dumps(value, indent=1, ensure_ascii=False)
    shown = masking.skipped(text)
    assert shown.count("\n") == text.count("\n")
    assert not {"1", "-", "a", "0"} & set(_without_keys(shown))


def _without_keys(shown: str) -> str:
    lines = [line.rpartition('": ')[2] for line in shown.split("\n")]
    return "".join(lines).replace("false", "").replace("null", "").replace("true", "")


def test_the_places_that_are_kept_do_not_grow_with_what_is_skipped() -> None:
    def kept(length: int) -> int:
        document = JsonDocument.parse(json.dumps(_configuration([{"k": "v"}] * length, 3)), LAYOUTS)
        assert document.root is not None
        return _nodes(document.root)

    assert kept(1000) == kept(1)


def test_a_change_in_a_skipped_value_is_noticed() -> None:
    trees = [JsonDocument.parse(json.dumps(_configuration([n])), LAYOUTS).tree() for n in (1, 2)]
    assert trees[0] != trees[1]


@given(st.sampled_from(["NaN", "[1,]", "{,}", '"\t"', "[01]", "[1 2]", "{'a': 1}", '["\\x"]']))
def test_what_is_malformed_is_refused_where_it_would_be_skipped_too(value: str) -> None:
    text = f'{{"skipped": [{value}], "mcpServers": {{}}}}'
    if value == "[1,]":  # an editor's trailing comma
        assert JsonDocument.parse(text, LAYOUTS).tree() is not None
        return
    with pytest.raises(MalformedError):
        JsonDocument.parse(text, LAYOUTS)
