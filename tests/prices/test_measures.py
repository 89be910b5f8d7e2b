"""What a result tells of its cost, and what it may not do to the books."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcpobs.prices.rule import MOST_MICROUSD, MOST_TOKENS, MOST_UNITS_MILLI, Measured, Rule
from mcpobs.protocol.decode import decode
from mcpobs.protocol.measures import measure
from tests.protocol.json_values import wild_values

UNITS = Rule(unit_nanousd=1, units=("pages",))
COST = Rule(reported=("_meta", "cost"), max_reported_microusd=1)
TOKENS = Rule(microusd_per_mtok=1, tokens=("usage", 0, "n"))


def _units(answer: Any, rule: Rule = UNITS) -> int | None:
    return measure(rule, {"structuredContent": answer, "content": []}).units_milli


@pytest.mark.parametrize(
    ("amount", "milli"),
    [
        (3, 3000),
        (0, 0),
        (2.5, 2500),
        (0.0004, 0),
        ([1, 2], 2000),
        ([], 0),
        (10**30, MOST_UNITS_MILLI),
        (1e300, MOST_UNITS_MILLI),
    ],
)
def test_a_number_of_units_or_the_length_of_a_list_counts(amount: Any, milli: int) -> None:
    assert _units({"pages": amount}) == milli


@pytest.mark.parametrize("amount", [-1, -0.5, True, "3", None, {"n": 3}])
def test_a_value_that_is_no_honest_number_does_not_count(amount: Any) -> None:
    assert _units({"pages": amount}) is None


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "-1" + "0" * 5000, "1e999"])
def test_a_number_that_json_cannot_carry_does_not_count(text: str) -> None:
    result = decode(b'{"structuredContent": {"pages": %s}}' % text.encode())
    assert isinstance(result, dict)
    assert measure(UNITS, result).units_milli is None


def test_a_number_too_long_to_be_computed_with_counts_as_the_most() -> None:
    result = decode(b'{"structuredContent": {"pages": 1%s}}' % (b"0" * 5000))
    assert isinstance(result, dict)
    assert measure(UNITS, result).units_milli == MOST_UNITS_MILLI


def test_an_answer_that_is_the_json_of_its_only_text_is_read_too() -> None:
    text = {"type": "text", "text": json.dumps({"pages": 4})}
    assert measure(UNITS, {"content": [text]}).units_milli == 4000
    assert measure(UNITS, {"content": [text, text]}).units_milli is None
    assert measure(UNITS, {"content": [{"type": "text", "text": "pages: 4"}]}).units_milli is None
    large = {"type": "text", "text": json.dumps({"pages": 4, "filling": "x" * 70_000})}
    assert measure(UNITS, {"content": [large]}).units_milli is None


def test_the_answer_itself_can_be_the_list() -> None:
    whole = Rule(unit_nanousd=1, units=())
    assert _units([1, 2, 3], whole) == 3000
    assert measure(whole, {"content": [{"type": "text", "text": "[1, 2]"}]}).units_milli == 2000


def test_a_cost_is_read_in_dollars_or_in_micro_dollars() -> None:
    assert measure(COST, {"_meta": {"cost": 0.0123}}).reported_microusd == 12_300
    assert measure(COST, {"_meta": {"cost": 1e9}}).reported_microusd == MOST_MICROUSD
    micro = Rule(reported=("_meta", "cost"), reported_in="microusd", max_reported_microusd=1)
    assert measure(micro, {"_meta": {"cost": 123}}).reported_microusd == 123
    assert measure(micro, {"_meta": {"cost": [1, 2]}}).reported_microusd is None


def test_a_path_goes_through_lists_and_names_that_are_digits() -> None:
    assert measure(TOKENS, {"structuredContent": {"usage": [{"n": 5}]}}).tokens == 5
    assert measure(TOKENS, {"structuredContent": {"usage": {"0": {"n": 6}}}}).tokens == 6
    assert measure(TOKENS, {"structuredContent": {"usage": []}}).tokens is None


@given(wild_values, st.lists(st.one_of(st.text(max_size=3), st.integers(0, 3)), max_size=4).map(tuple))
def test_no_result_breaks_the_measuring_or_leaves_its_bounds(value: Any, path: tuple[str | int, ...]) -> None:
    rule = Rule(unit_nanousd=1, units=path, reported=path, microusd_per_mtok=1, tokens=path)
    for result in (value, {"structuredContent": value}, {"content": value}, {"_meta": value, "content": [value]}):
        found = measure(rule, result)
        for amount, most in zip(found, (MOST_UNITS_MILLI, MOST_MICROUSD, MOST_TOKENS), strict=True):
            assert amount is None or 0 <= amount <= most
    assert measure(rule, None) == Measured()
