"""What a rule makes of a call."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcpobs.prices.rule import MOST_MICROUSD, MOST_TOKENS, MOST_UNITS_MILLI, Charge, Measured, Rule

FIXED = Rule(call_microusd=2000)
PAGES = Rule(unit_nanousd=1_500_000, units=("pages",), max_units_milli=10_000)
REPORTED = Rule(call_microusd=10, reported=("cost",), max_reported_microusd=5_000_000)
READ = Rule(microusd_per_mtok=3_000_000)


@pytest.mark.parametrize("outcome", ["ok", "tool_error", "server_error", "timeout", "unfinished", "cancelled", "task"])
def test_a_call_that_the_tool_ran_for_costs_its_price_however_it_ended(outcome: str) -> None:
    assert FIXED.charge(outcome, None, None) == Charge(2000, "price")  # type: ignore[arg-type]


@pytest.mark.parametrize("outcome", ["denied", "protocol_error", "input_required", None])
@pytest.mark.parametrize("rule", [FIXED, PAGES, REPORTED, READ])
def test_a_call_that_the_tool_never_ran_for_costs_nothing(rule: Rule, outcome: str | None) -> None:
    assert rule.charge(outcome, 400, Measured(1000, 1000, 1000)) is None  # type: ignore[arg-type]


def test_units_are_charged_for_what_worked_and_up_to_their_maximum() -> None:
    assert PAGES.charge("ok", 1, Measured(units_milli=2000)) == Charge(3000, "units")
    assert PAGES.charge("ok", 1, Measured(units_milli=2500)) == Charge(3750, "units")
    assert PAGES.charge("ok", 1, Measured(units_milli=10**12)) == Charge(15_000, "units")
    assert PAGES.charge("tool_error", 1, Measured(units_milli=2000)) == Charge(0, "price")
    assert PAGES.charge("timeout", None, None) == Charge(0, "price")


def test_a_reported_cost_counts_up_to_its_maximum_also_if_the_tool_failed() -> None:
    assert REPORTED.charge("ok", 1, Measured(reported_microusd=300)) == Charge(310, "price+reported")
    assert REPORTED.charge("tool_error", 1, Measured(reported_microusd=10**12)) == Charge(5_000_010, "price+reported")
    assert REPORTED.charge("server_error", 1, None) == Charge(10, "price")


def test_tokens_are_those_reported_else_a_quarter_of_the_bytes() -> None:
    assert READ.charge("ok", 4001, None) == Charge(3003, "tokens")  # 1001 tokens
    assert READ.charge("tool_error", 4000, Measured(tokens=7)) == Charge(21, "tokens")
    assert Rule(microusd_per_mtok=500_000).charge("ok", 4, None) == Charge(1, "tokens")  # a half is rounded up
    assert READ.tokens_of(None, None) is None


def test_an_unreported_amount_is_marked_and_never_a_cost_of_0() -> None:
    assert PAGES.charge("ok", 1, Measured()) == Charge(None, "units?")
    assert REPORTED.charge("ok", 1, None) == Charge(10, "price+reported?")
    assert Rule(model="unknown").charge("ok", 400, None) == Charge(None, "tokens?")


def test_the_parts_of_a_price_are_added() -> None:
    rule = Rule(
        call_microusd=1,
        unit_nanousd=1000,
        units=("n",),
        reported=("c",),
        max_reported_microusd=100,
        microusd_per_mtok=1_000_000,
    )
    assert rule.charge("ok", 4000, Measured(20_000, 300, None)) == Charge(
        1 + 20 + 100 + 1000, "price+units+reported+tokens"
    )


@given(
    st.integers(0, 10**15),
    st.integers(1, MOST_UNITS_MILLI),
    st.integers(0, MOST_UNITS_MILLI),
    st.integers(0, 10**9),
    st.integers(0, 2 * MOST_TOKENS),
)
def test_no_call_costs_less_than_nothing_or_more_than_its_maxima(
    nano: int, most: int, amount: int, per_mtok: int, tokens: int
) -> None:
    rule = Rule(
        unit_nanousd=nano, max_units_milli=most, reported=(), max_reported_microusd=7, microusd_per_mtok=per_mtok
    )
    charge = rule.charge("ok", None, Measured(amount, MOST_MICROUSD, tokens))
    assert charge is not None
    assert charge.microusd is not None
    assert 0 <= charge.microusd <= most * nano // 10**6 + 1 + 7 + MOST_TOKENS * per_mtok // 10**6 + 1
