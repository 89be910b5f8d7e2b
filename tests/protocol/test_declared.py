import itertools
import tracemalloc
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcpobs.protocol.declared import (
    MAX_NAMES,
    MAX_NAMES_PER_TOOL,
    MAX_TOOLS,
    NOTHING,
    Declarations,
    Declared,
    count_names,
    declared_by_arguments,
    declared_by_schema,
)

from .json_values import values


def _names(declared: Declared) -> object:
    """The tree as plain dicts; what arrays and additionalProperties declare under [] and *."""
    tree: dict[str, object] = {name: _names(below) for name, below in declared.members.items()}
    if declared.items is not None:
        tree["[]"] = _names(declared.items)
    if declared.others is not None:
        tree["*"] = _names(declared.others)
    return tree


@pytest.mark.parametrize(
    ("schema", "names"),
    [
        ({"properties": {"a": {}, "b": {"properties": {"c": True}}}}, {"a": {}, "b": {"c": {}}}),
        ({"items": {"properties": {"a": {}}}}, {"[]": {"a": {}}}),
        ({"prefixItems": [{"properties": {"a": {}}}, {"properties": {"b": {}}}]}, {"[]": {"a": {}, "b": {}}}),
        ({"additionalProperties": {"properties": {"a": {}}}}, {"*": {"a": {}}}),
        ({"additionalProperties": False, "properties": {"a": {}}}, {"a": {}}),
        ({"anyOf": [{"properties": {"a": {}}}, {"properties": {"b": {}}}]}, {"a": {}, "b": {}}),
        (
            {
                "allOf": [{"properties": {"a": {"properties": {"x": {}}}}}],
                "properties": {"a": {"properties": {"y": {}}}},
            },
            {"a": {"x": {}, "y": {}}},
        ),
        ({"oneOf": [{"$ref": "#/$defs/A"}], "$defs": {"A": {"properties": {"a": {}}}}}, {"a": {}}),
        ({"$ref": "#/$defs/a~1b~0c", "$defs": {"a/b~c": {"properties": {"a": {}}}}}, {"a": {}}),
        ({"if": {"properties": {"a": {}}}, "then": {"properties": {"b": {}}}}, {"a": {}, "b": {}}),
        ({"$ref": "https://example.com/schema.json"}, {}),
        ({"$ref": "#/$defs/missing"}, {}),
        ({"$ref": 5, "properties": [], "anyOf": {}, "items": 1, "allOf": [5, None]}, {}),
        (True, {}),
        (None, {}),
        ([{"properties": {"a": {}}}], {}),
    ],
    ids=repr,
)
def test_a_schema_declares(schema, names):
    assert _names(declared_by_schema(schema)) == names


def test_a_schema_that_refers_to_itself_is_followed_as_deep_as_a_shape_goes():
    schema = {
        "$ref": "#/$defs/Node",
        "$defs": {"Node": {"properties": {"value": {}, "next": {"$ref": "#/$defs/Node"}}}},
    }
    level = declared_by_schema(schema)
    for _ in range(5):
        assert set(level.members) == {"value", "next"}
        level = level.members["next"]
    circle = {"$ref": "#/$defs/A", "$defs": {"A": {"$ref": "#/$defs/B"}, "B": {"$ref": "#/$defs/A"}}}
    assert declared_by_schema(circle) is NOTHING


def test_a_hostile_schema_costs_bounded_work_and_memory():
    wide = {"properties": {f"name{number}": {"$ref": "#"} for number in range(100_000)}}
    assert count_names(declared_by_schema(wide)) <= 2 * MAX_NAMES_PER_TOOL + 10
    twice = {"$defs": {"A": {"anyOf": [{"$ref": "#/$defs/A"}] * 500, "properties": {"a": {"$ref": "#/$defs/A"}}}}}
    assert count_names(declared_by_schema({**twice, "$ref": "#/$defs/A"})) < 20


@given(values)
def test_any_value_can_be_taken_for_a_schema(value):
    wrapped = {"properties": {"a": value}, "$defs": value, "anyOf": value, "$ref": "#/$defs/a"}
    for declared in (declared_by_schema(value), declared_by_schema(wrapped), declared_by_arguments(value)):
        assert count_names(declared) <= 2 * MAX_NAMES_PER_TOOL + 10


def test_a_prompt_declares_the_names_of_its_arguments():
    assert _names(declared_by_arguments([{"name": "a"}, {"name": 5}, "b", {}, {"name": "c\n"}])) == {"a": {}}


def test_a_later_declaration_takes_the_place_of_the_earlier():
    known = Declarations()
    known.learn("read", lambda: declared_by_schema({"properties": {"a": {}}}))
    known.learn("read", lambda: declared_by_schema({"properties": {"b": {}}}))
    found = known.of("read")
    assert found is not None
    assert set(found.members) == {"b"}
    assert known.of("write") is None
    assert known.of(None) is None


def test_learnt_declarations_are_bounded_and_replaced_ones_make_room():
    known = Declarations()
    full = declared_by_schema({"properties": {f"name{number}": {} for number in range(MAX_NAMES_PER_TOOL)}})
    tools = MAX_NAMES // MAX_NAMES_PER_TOOL
    assert count_names(full) == MAX_NAMES_PER_TOOL
    for number in range(tools + 5):
        known.learn(f"tool{number}", lambda: full)
    assert known.of(f"tool{tools - 1}") is not None
    assert known.of(f"tool{tools}") is None
    known.learn("tool0", lambda: NOTHING)
    known.learn("late", lambda: full)
    assert known.of("late") is not None

    known = Declarations()
    tracemalloc.start()
    try:
        for number in range(MAX_TOOLS * 2):
            known.learn(f"tool{number}", lambda: NOTHING)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert known.of(f"tool{MAX_TOOLS - 1}") is not None
    assert known.of(f"tool{MAX_TOOLS}") is None
    assert peak < 2 << 20


def test_a_schema_is_not_even_read_if_there_is_no_room():
    known = Declarations()
    read = []
    for number in range(MAX_TOOLS + 5):
        known.learn(f"tool{number}", lambda: read.append(1) or NOTHING)
    known.learn("tool0", lambda: read.append(1) or NOTHING)
    known.learn("x" * 257, lambda: read.append(1) or NOTHING)
    known.learn(None, lambda: read.append(1) or NOTHING)
    assert len(read) == MAX_TOOLS + 1


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3))))
def test_the_count_of_names_equals_the_names_kept(learnt):
    known = Declarations()
    for name, size in learnt:
        schema = {"properties": {str(number): {"properties": {"x": {}}} for number in range(size)}}
        known.learn(name, partial(declared_by_schema, schema))
    kept = [known.of(name) for name in "abc"]
    assert known._names == sum(count_names(declared) for declared in itertools.filterfalse(lambda d: d is None, kept))
