import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcpobs.protocol.codeword import HEAD, TAIL
from mcpobs.protocol.declared import NOTHING, Declared, declared_by_schema
from mcpobs.protocol.decode import RawNumber
from mcpobs.protocol.facts import Facts
from mcpobs.protocol.features import features_of, features_of_flat, names_in
from mcpobs.protocol.layout import MAX_LAYOUTS, MAX_MEMBERS, MAX_NAMES, Layouts

from .json_values import objects
from .talk import KEY

names = st.sampled_from(["path", "limit", "é", "", "../x", "a\0b", "{{", "x" * 300, "<script", "Q", "a b"])
texts = st.sampled_from(
    ["", "a b c", "../x", "\u200b", "x" * 300, " " * 300, "; rm -rf /", "x" * (HEAD + TAIL + 1), "\0"]
)
flat = st.dictionaries(names, texts | st.integers() | st.floats() | st.booleans() | st.none())


@given(flat)
def test_the_features_of_a_flat_object_are_those_of_any_object(value):
    assert features_of_flat(names_in(value, _shown), value) == features_of(value, _shown)


def _shown(name: str) -> str:
    return {"path": "path", "a b": "50 %s"}.get(name, f"#{sum(name.encode())}")


@given(st.lists(st.tuples(flat | objects, st.sampled_from([None, "path", "limit"])), max_size=8))
def test_what_was_seen_before_changes_no_fact(calls):
    """Of values with equal names in another order, with other types, and by other declarations."""
    schemas = {name: declared_by_schema({"properties": {name: {}}}) for name in ("path", "limit")}
    facts = Facts(KEY)
    for value, declares in [*calls, *calls]:
        declared = schemas[declares] if declares else None
        assert facts.arguments(value, declared) == Facts(KEY).arguments(value, declared)


def _asked(layouts: Layouts, asked: list[object], *values: dict[str, object], declared: Declared | None = None) -> int:
    before = len(asked)
    for value in values:
        layouts.of(value, declared)
    return len(asked) - before


@pytest.fixture
def asked() -> list[object]:
    return []


@pytest.fixture
def layouts(asked: list[object]) -> Layouts:
    def shape_of(value: object, declared: Declared | None) -> str:
        asked.append(value)
        return f"shape {len(asked)}"

    return Layouts(shape_of, lambda declared: lambda name: name[:8])


def test_a_shape_is_made_once_for_equal_names_and_types(layouts, asked):
    assert _asked(layouts, asked, {"a": 1, "b": "x"}, {"a": 2, "b": "y"}, {"a": -1, "b": ""}) == 1
    assert _asked(layouts, asked, {"a": 1.0, "b": "x"}) == 1
    assert _asked(layouts, asked, {"a": True, "b": "x"}) == 1
    assert _asked(layouts, asked, {"a": 1, "c": "x"}) == 1


def test_a_shape_is_made_anew_if_the_tool_declares_anew(layouts, asked):
    assert _asked(layouts, asked, {"a": 1}) == 1
    assert _asked(layouts, asked, {"a": 2}, {"a": 3}, declared=NOTHING) == 1
    assert _asked(layouts, asked, {"a": 2}, declared=Declared()) == 1


@pytest.mark.parametrize(
    "value",
    [
        {"a": {}},
        {"a": [1]},
        {"a": 1, "b": RawNumber("NaN")},
        {str(number): 1 for number in range(MAX_MEMBERS + 1)},
        {"a" * (MAX_NAMES + 1): 1},
    ],
    ids=["object", "array", "odd number", "many members", "long names"],
)
def test_a_value_that_is_not_flat_or_is_large_is_not_remembered(layouts, asked, value):
    assert layouts.of(value, None) is None
    assert asked == []


def test_no_more_than_so_many_are_remembered(layouts, asked):
    kinds = [{f"name{number}": 1} for number in range(MAX_LAYOUTS)]
    assert _asked(layouts, asked, *kinds, *kinds) == MAX_LAYOUTS
    assert _asked(layouts, asked, {"another": 1}) == 1
    assert _asked(layouts, asked, kinds[0]) == 1


def test_names_that_look_alike_when_shown_are_not_remembered(layouts, asked):
    assert layouts.of({"members1": 1, "members12": 2}, None) is None
    assert asked == []
