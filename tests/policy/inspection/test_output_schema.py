"""`find: output_schema`: which results deviate from the declared schema, and that no schema stalls a front."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema_rs import validator_for

from mcpobs.policy.inspect.schema_cost import visits
from mcpobs.policy.inspect.schemas import MAX_TOOLS, OutputSchemas
from tests.policy.test_judge import Shop

ROWS = {
    "type": "object",
    "required": ["rows"],
    "additionalProperties": False,
    "properties": {"rows": {"type": "array", "items": {"type": "integer"}}},
}
JSON_VALUE = {
    "$defs": {
        "J": {
            "anyOf": [
                {"type": ["string", "number", "boolean", "null"]},
                {"type": "array", "items": {"$ref": "#/$defs/J"}},
                {"type": "object", "additionalProperties": {"$ref": "#/$defs/J"}},
            ]
        }
    },
    "$ref": "#/$defs/J",
}
TREE = {"type": "object", "properties": {"value": {}, "left": {"$ref": "#"}, "right": {"$ref": "#"}}}


def _shop(schema: Any, action: str = "flag") -> Shop:
    shop = Shop(f"inspect: [{{id: form, find: output_schema, action: {action}}}]")
    shop.ask("tools/list")
    shop.answer({"tools": [{"name": "rows", "outputSchema": schema}, {"name": "free"}], "resultType": "complete"})
    return shop


def _rules(shop: Shop, tool: str, **result: Any) -> list[str]:
    shop.ask("tools/call", name=tool, arguments={})
    shop.answer({"content": [], "resultType": "complete", **result})
    return [row["rule"] for row in json.loads(shop.last.get("findings", "[]"))]


@pytest.mark.parametrize(
    ("schema", "result", "rules"),
    [
        (ROWS, {"structuredContent": {"rows": [1, 2]}}, []),
        (ROWS, {"structuredContent": {"rows": [1, "x"]}}, ["type"]),
        (ROWS, {"structuredContent": {"rows": [], "note": "a long text"}}, ["additionalProperties"]),
        (ROWS, {"structuredContent": {}}, ["required"]),
        (ROWS, {"structuredContent": "suddenly a text"}, ["type"]),
        (ROWS, {"structuredContent": None}, ["type"]),
        (ROWS, {}, ["missing"]),
        (ROWS, {"isError": True}, []),
        (ROWS, {"isError": True, "structuredContent": "why"}, []),
        (ROWS, {"resultType": "input_required"}, []),
        (ROWS, {"structuredContent": {"rows": ["x"] * 20_000}}, ["invalid"]),
        ({"type": "string"}, {"structuredContent": "a text"}, []),
        ({"type": "array"}, {"structuredContent": [1]}, []),
        ({"type": "null"}, {"structuredContent": None}, []),
        (True, {"structuredContent": 1}, []),
        (False, {"structuredContent": 1}, ["falseSchema"]),
        (TREE, {"structuredContent": {"left": {"right": {"value": 1}}}}, []),
        (TREE, {"structuredContent": {"left": {"right": 1}}}, ["type"]),
        (JSON_VALUE, {"structuredContent": [{"a": [None, 1.5]}]}, []),
        ({"type": "string", "pattern": "^(?!x)"}, {"structuredContent": "a"}, []),
        ({"type": "string", "pattern": "^(?!x)"}, {"structuredContent": "x"}, ["pattern"]),
        ({"type": 3}, {"structuredContent": 1}, ["unusable_schema"]),
        ({"$ref": "http://127.0.0.1:9/schema"}, {"structuredContent": 1}, ["unusable_schema"]),
        ({"$ref": "file:///etc/passwd"}, {"structuredContent": 1}, ["unusable_schema"]),
        ({"$ref": "#/$defs/none"}, {"structuredContent": 1}, ["unusable_schema"]),
        ({"description": "x" * 300_000}, {"structuredContent": 1}, ["unusable_schema"]),
    ],
)
def test_a_result_is_compared_with_the_declared_schema(schema: Any, result: dict[str, Any], rules: list[str]) -> None:
    assert _rules(_shop(schema), "rows", **result) == rules


def test_a_tool_without_a_schema_has_no_finding_and_a_newer_listing_counts() -> None:
    shop = _shop(ROWS)
    assert _rules(shop, "free", structuredContent=1) == []
    assert _rules(shop, "unlisted", structuredContent=1) == []
    shop.ask("tools/list")
    shop.answer({"tools": [{"name": "rows"}], "resultType": "complete"})
    assert _rules(shop, "rows", structuredContent=1) == []


def test_block_withholds_the_result() -> None:
    shop = _shop(ROWS, "block")
    assert shop.call("rows", {"content": [], "structuredContent": {"rows": [1]}, "resultType": "complete"}) == "ok"
    assert shop.call("rows", {"content": [], "structuredContent": "x", "resultType": "complete"}) == "inspection"


def _doubled(levels: int, key: str) -> dict[str, Any]:
    defs: dict[str, Any] = {
        f"d{n}": {key: [{"$ref": f"#/$defs/d{n + 1}"}, {"$ref": f"#/$defs/d{n + 1}"}]} for n in range(levels)
    }
    return {"$defs": {**defs, f"d{levels}": {"type": "object"}}, "$ref": "#/$defs/d0"}


def _below(levels: int) -> Any:
    value: Any = {}
    for _ in range(levels):
        value = {"a": value}
    return value


TWICE = {"properties": {"a": {"$ref": "#"}}, "patternProperties": {"^a$": {"$ref": "#"}}}


@pytest.mark.parametrize(
    ("schema", "content", "rule"),
    [
        (_doubled(60, "allOf"), {}, "unusable_schema"),
        (_doubled(60, "anyOf"), 1, "unusable_schema"),
        ({"allOf": [{"properties": {"a": {"$ref": "#"}}}] * 2}, _below(60), "unusable_schema"),
        (TWICE, _below(60), "unusable_schema"),
        ({"$ref": "#"}, {}, "unusable_schema"),
        ({"allOf": [{"$ref": "#"}, {"$ref": "#"}]}, {}, "unusable_schema"),
        ({"type": "string", "pattern": "^(a+)+$"}, "a" * 10_000 + "!", "pattern"),
        ({"type": "string", "pattern": "^(?=a)(a|aa)+(?<=b)$"}, "a" * 10_000, "pattern"),
        ({"items": {"enum": [f"{n:06}" for n in range(20_000)]}}, ["x"] * 30_000, "truncated"),
        ({"uniqueItems": True}, [*({"a": n} for n in range(10_000)), {"a": 1}], "invalid"),
    ],
)
def test_no_schema_of_a_server_stalls_a_front(schema: Any, content: Any, rule: str) -> None:
    assert _rules(_shop(schema), "rows", structuredContent=content) == [rule]  # hours without the bounds


_LEAVES = st.sampled_from(
    [{"type": "integer"}, {"type": "string"}, {"required": ["a"]}, {"$ref": "#"}, {"$ref": "#/$defs/d"}, True]
)
_SCHEMAS = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(
        st.builds(lambda a, b: {"allOf": [a, b]}, inner, inner),
        st.builds(lambda a, b: {"anyOf": [a, b]}, inner, inner),
        st.builds(lambda a: {"not": a}, inner),
        st.builds(lambda a, b: {"properties": {"a": a, "b": b}}, inner, inner),
        st.builds(lambda a, b: {"properties": {"a": a}, "additionalProperties": b}, inner, inner),
        st.builds(lambda a: {"items": a}, inner),
    ),
    max_leaves=8,
)


class _Steps:
    """A validator without memory that counts how many schemas it looks at. It never stops early."""

    def __init__(self, root: Any) -> None:
        self._root, self.count = root, 0

    def look(self, schema: Any, value: Any) -> None:
        if not isinstance(schema, dict):
            return
        self.count += 1
        if self.count > 1_000_000:
            raise OverflowError
        if "$ref" in schema:
            self.look(self._root if schema["$ref"] == "#" else self._root["$defs"]["d"], value)
        for key in ("allOf", "anyOf"):
            for one in schema.get(key, []):
                self.look(one, value)
        self.look(schema.get("not"), value)
        if isinstance(value, dict):
            for name, below in value.items():
                named = schema.get("properties", {})
                self.look(named[name] if name in named else schema.get("additionalProperties"), below)
        if isinstance(value, list):
            for item in value:
                self.look(schema.get("items"), item)


@settings(max_examples=300, deadline=None)
@given(_SCHEMAS, _SCHEMAS)
def test_a_schema_with_a_bound_keeps_it_on_deep_and_wide_values(schema: Any, definition: Any) -> None:
    root = {"allOf": [schema], "$defs": {"d": definition}}
    bound = visits(root)
    if bound is None:
        return
    validator_for(root, offline=True)
    for value in (_below(40), [[[[1]]]], {"a": {"b": [{"a": 1}] * 5}}):
        steps = _Steps(root)
        steps.look(root, value)
        values = json.dumps(value).count("{") + json.dumps(value).count("[") + 20
        assert steps.count <= bound * values


@pytest.mark.parametrize("schema", [ROWS, JSON_VALUE, TREE, True, {}, {"$defs": {"a": {"$ref": "#/$defs/a"}}}])
def test_usual_schemas_have_a_bound(schema: Any) -> None:
    assert visits(schema) is not None


def test_schemas_are_kept_within_a_bound() -> None:
    schemas = OutputSchemas()
    large = {"description": "x" * 1_000_000}
    schemas.learn({"tools": [{"name": f"t{n}", "outputSchema": large} for n in range(30)]})
    assert sum(schemas.of(f"t{n}") is not None for n in range(30)) == 16
    for name in range(30):
        schemas.learn({"tools": [{"name": f"t{name}"}]})
    schemas.learn({"tools": [{"name": f"s{n}", "outputSchema": True} for n in range(MAX_TOOLS + 9)]})
    assert schemas.of("s0") is True
    assert schemas.of("t0") is None
    for odd in (None, [], {"tools": 1}, {"tools": [1, {"name": 2}]}):
        schemas.learn(odd)
