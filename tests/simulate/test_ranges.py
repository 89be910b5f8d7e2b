"""What recorded ranges decide of numbers of arguments is what their values decide, or nothing."""

from __future__ import annotations

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mcpobs.limits.model import Limit, ValueLimits
from mcpobs.policy.conditions import CallFacts
from mcpobs.policy.values import ArgumentValues
from mcpobs.protocol.features import features_of
from mcpobs.simulate.ranges import decided

NUMBERS = st.one_of(st.integers(-5, 5), st.integers(-300, 300), st.floats(-300, 300))
TEXTS = st.one_of(st.text(max_size=40), NUMBERS.map(str))
SCALARS = st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS)
VALUES = st.recursive(SCALARS, lambda below: st.one_of(st.lists(below), st.dictionaries(st.text(max_size=9), below)))
ARGUMENTS = st.dictionaries(st.sampled_from(["q", "n", "other"]), VALUES)
COUNTS = st.one_of(st.none(), st.sampled_from([0, 1, 3, 15, 31]).map(Limit))
SIGNED = st.one_of(st.none(), st.sampled_from([-255, -15, -3, 0, 3, 15, 255]).map(Limit))
LIMITS = st.dictionaries(
    st.sampled_from(["q", "n"]), st.builds(ValueLimits, COUNTS, COUNTS, SIGNED, SIGNED), min_size=1
)


@settings(max_examples=400, deadline=None)
@given(arguments=ARGUMENTS, limits=LIMITS)
def test_ranges_decide_as_values_do(arguments: dict[str, object], limits: dict[str, ValueLimits]) -> None:
    condition = ArgumentValues.of(limits)
    found = decided(condition, features_of(arguments, lambda name: name))
    assume(found is not None)
    assert condition.holds(CallFacts("tools/call", arguments=arguments)) == found


def test_a_range_that_the_number_divides_decides_nothing() -> None:
    condition = ArgumentValues.of({"q": ValueLimits(max_length=Limit(5))})
    decisions = [decided(condition, features_of({"q": "a" * size}, lambda name: name)) for size in (3, 4, 5, 7, 8)]
    assert decisions == [True, None, None, None, False]


def test_features_without_the_arguments_name_decide_nothing() -> None:
    condition = ArgumentValues.of({"q": ValueLimits(max_length=Limit(5))})
    for features in ('{"values":{"#a1b2c3":"s1-a"}}', "{}", "no JSON", "[]", '{"cut":true,"values":{"q":"s1-a"}}'):
        assert decided(condition, features) is None
