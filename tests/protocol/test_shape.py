import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcpobs.protocol.declared import declared_by_schema
from mcpobs.protocol.decode import RawNumber
from mcpobs.protocol.facts import Facts
from mcpobs.protocol.shape import MAX_TEXT

from .json_values import values, wild_values
from .talk import KEY

FACTS = Facts(KEY)


def _shape(value, schema=None):
    declared = declared_by_schema(schema) if schema is not None else None
    return FACTS.arguments(value, declared)[0].shape


def _schema(*names):
    return {"type": "object", "properties": {name: {} for name in names}}


@pytest.mark.parametrize(
    ("value", "shape"),
    [
        (None, "null"),
        (True, "boolean"),
        (1, "integer"),
        (2**70, "integer"),
        (1.0, "number"),
        (RawNumber("NaN"), "number"),
        (RawNumber("9" * 5000), "integer"),
        ("x", "string"),
        ({}, "{}"),
        ([], "[]"),
        (["a", "b"], "[string]"),
        ([1, "a", 2], "[integer|string]"),
        ([[], [1], {}], "[[]|[integer]|{}]"),
    ],
    ids=lambda given: given if isinstance(given, str) else type(given).__name__,
)
def test_a_value_without_keys_is_its_types(value, shape):
    assert _shape(value) == shape


def test_declared_keys_are_named_in_their_order():
    assert _shape({"path": "x", "limit": 1}, _schema("path", "limit")) == "{limit:integer,path:string}"


def test_any_other_key_is_hashed():
    shape = _shape({"path": "x", "secret": 1}, _schema("path"))
    assert shape is not None
    assert shape.startswith("{#")
    assert shape.endswith(":integer,path:string}")
    assert "secret" not in shape
    assert len(shape) == len("{#123456:integer,path:string}")


def test_the_hash_of_a_key_is_keyed_and_the_same_every_time():
    assert _shape({"secret": 1}) == _shape({"secret": 2}) == FACTS.arguments({"secret": 3}, None)[0].shape
    assert Facts(b"another").arguments({"secret": 1}, None)[0].shape != _shape({"secret": 1})


def test_nested_values_follow_the_nested_schema():
    schema = {
        "properties": {
            "filter": {"properties": {"name": {}}},
            "rows": {"type": "array", "items": {"properties": {"id": {}}}},
            "labels": {"type": "object", "additionalProperties": {"properties": {"colour": {}}}},
        }
    }
    shape = _shape({"filter": {"name": ""}, "rows": [{"id": 1}, {"id": ""}], "labels": {"x": {"colour": ""}}}, schema)
    assert shape is not None
    hashed = _shape({"x": 1})[1:8]  # type: ignore[index]
    assert (
        shape == f"{{filter:{{name:string}},labels:{{{hashed}:{{colour:string}}}},rows:[{{id:integer}}|{{id:string}}]}}"
    )


def test_a_key_of_another_level_is_not_declared_here():
    shape = _shape({"name": 1}, {"properties": {"filter": {"properties": {"name": {}}}}})
    assert shape is not None
    assert "name" not in shape


def test_more_than_eight_kinds_of_items_are_cut():
    shape = _shape([{f"key{number}": 0} for number in range(20)])
    assert shape is not None
    assert shape.count("|") == 8
    assert shape.endswith("|…]")


def test_nesting_is_cut_at_six_levels():
    value: object = 1
    for _ in range(10):
        value = {"a": value}
    schema: dict[str, object] = {}
    for _ in range(10):
        schema = {"properties": {"a": schema}}
    assert _shape(value, schema) == "{a:" * 6 + "{…}" + "}" * 6
    deep: object = 1
    for _ in range(10):
        deep = [deep]
    assert _shape(deep) == "[" * 6 + "[…]" + "]" * 6


def test_a_long_shape_is_cut_and_still_differs_from_another():
    def wide(count):
        names = [f"name_{number:03}" for number in range(count)]
        return _shape(dict.fromkeys(names, 1), _schema(*names))

    one, other = wide(200), wide(201)
    assert one is not None
    assert other is not None
    assert len(one) == len(other) == MAX_TEXT
    assert one[:400] == other[:400]
    assert one != other


def test_an_object_with_many_keys_is_a_map():
    assert _shape({str(number): number for number in range(300)}) == "{…}"


def test_a_shape_does_not_depend_on_the_order_of_keys():
    big = {f"key{number}": {f"sub{below}": [1, "x"] for below in range(90)} for number in range(200)}
    turned = {key: dict(reversed(below.items())) for key, below in reversed(big.items())}
    assert _shape(big) == _shape(turned)


@given(values | wild_values)
def test_any_value_has_a_shape_without_its_content(value):
    shape = _shape(value)
    assert shape is not None
    assert len(shape) <= MAX_TEXT
    assert set(shape) <= set("{}[]#:,|…0123456789abcdefghijklmnopqrstuvwxyz")


names = st.text(st.characters(codec="utf-8"), max_size=80)


@given(names)
def test_a_name_is_shown_only_if_it_cannot_pose_as_something_else(name):
    shape = _shape({name: 1}, _schema(name))
    assert shape is not None
    plain = 0 < len(name) <= 64 and name.isprintable() and not set(name) & set("{}[]#:,|…")
    assert shape == f"{{{name}:integer}}" if plain else shape.startswith("{#")
