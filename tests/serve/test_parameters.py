"""The arguments of a tool: what its schema says is what it takes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from mcpobs.errors import UsageError
from mcpobs.serve.parameters import Parameter, checked, schema

PARAMETERS = (
    Parameter("name", "string", "which", required=True, choices=("latency", "loops")),
    Parameter("since", "string", "from when", most=5),
    Parameter("limit", "integer", "rows at most", default=50, least=1, most=100),
)
VALIDATOR = Draft202012Validator(schema(PARAMETERS))

_VALUES = (
    st.none()
    | st.booleans()
    | st.integers(-2, 120)
    | st.floats()
    | st.sampled_from(["latency", "loops", "x"])
    | st.text(max_size=7)
    | st.lists(st.integers(), max_size=2)
)
_GIVEN = st.dictionaries(st.sampled_from(["name", "since", "limit", "other"]), _VALUES) | st.fixed_dictionaries(
    {"name": st.just("loops")}, optional={"since": _VALUES, "limit": _VALUES}
)


def test_a_schema_is_one() -> None:
    Draft202012Validator.check_schema(schema(PARAMETERS))
    assert schema(()) == {"type": "object", "properties": {}, "additionalProperties": False}


@given(_GIVEN)
def test_arguments_are_accepted_exactly_if_the_schema_accepts_them(given: dict[str, Any]) -> None:
    filled = {name: value for name, value in given.items() if value is not None or name == "other"}
    if VALIDATOR.is_valid(filled):
        taken = checked(PARAMETERS, given)
        assert taken == {"since": None, "limit": 50} | filled
    else:
        with pytest.raises(UsageError) as caught:
            checked(PARAMETERS, given)
        assert caught.value.hint


@pytest.mark.parametrize(
    ("given", "message", "hint"),
    [
        ({}, "the argument name is missing", "name: which"),
        ({"name": "latncy"}, "name cannot be 'latncy'", "did you mean latency? it is one of latency, loops"),
        ({"nam": "loops"}, "there is no argument 'nam'", "did you mean name?"),
        ({"name": "loops", "limit": 0}, "limit has 0", "it takes from 1 to 100"),
        ({"name": "loops", "limit": "7"}, "limit is an integer", "rows at most"),
        ({"name": "loops", "since": "too long"}, "since has 8 characters", "it takes from 0 to 5 characters"),
        ({"name": "\x1b[2J" + "x" * 500}, "name cannot be '\\x1b[2J", "it is one of"),
    ],
)
def test_an_error_about_a_wrong_argument_has_a_hint(given: dict[str, Any], message: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        checked(PARAMETERS, given)
    assert message in caught.value.message.replace("\\\\", "\\")
    assert caught.value.hint is not None
    assert hint in caught.value.hint
