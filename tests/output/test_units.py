"""Numbers for people, by the unit in the column's name."""

from __future__ import annotations

import datetime
import decimal

import pytest

from mcpobs.output.units import shown, title
from mcpobs.reports.wording import dollars, milliseconds


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (0.0, "0.000"),
        (0.000123, "0.000123"),
        (0.0123, "0.0123"),
        (0.5, "0.500"),
        (1.0, "1.00"),
        (9.994, "9.99"),
        (9.996, "10.0"),
        (99.94, "99.9"),
        (99.96, "100"),
        (812.4, "812"),
        (1234.5, "1,234"),
        (3_600_000.0, "3,600,000"),
        (-5.0, "-5.00"),
    ],
)
def test_milliseconds_have_three_significant_digits_and_no_more_than_they_need(ms: float, text: str) -> None:
    assert milliseconds(ms) == text


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("calls", 1234567, "1,234,567"),
        ("calls", None, "-"),
        ("tool", "", "''"),
        ("tool", "a\x1bb", r"a\x1bb"),
        ("ranked", True, "yes"),
        ("failed_ratio", 0.0512, "5.1"),
        ("cost_microusd", 1_234_567, "1.2346"),
        ("last_unix_nano", 1_790_000_000_000_000_000, "2026-09-21 14:13:20"),
        ("last_unix_nano", 9_223_372_036_854_775_807, "2262-04-11 23:47:16"),
        ("last_unix_nano", -(2**62), "1823-11-12 00:06:21"),
        ("times_median", 5.0, "5"),
        ("times_median", 1234.5, "1,234"),
        ("x", float("inf"), "inf"),
        ("x", float("nan"), "nan"),
        ("x", decimal.Decimal("1.50"), "1.50"),
        ("x", datetime.date(2026, 1, 2), "2026-01-02"),
        ("x", [1, "\x1b"], r"[1, '\\x1b']"),
    ],
)
def test_a_value_is_shown_by_the_unit_of_its_column(name: str, value: object, text: str) -> None:
    assert shown(name, value) == text.replace("\\\\", "\\")


@pytest.mark.parametrize(
    ("name", "heading"),
    [
        ("p95_ms", "p95 ms"),
        ("failed_ratio", "failed %"),
        ("last_unix_nano", "last (UTC)"),
        ("cost_microusd", "cost $"),
        ("service_name", "service_name"),
        ("session_id", "session_id"),
        ("evil\x1b", r"evil\x1b"),
    ],
)
def test_a_heading_names_the_unit(name: str, heading: str) -> None:
    assert title(name) == heading


@pytest.mark.parametrize(
    ("microusd", "text"),
    [
        (0, "$0.00"),
        (5, "$0.000005"),
        (2000, "$0.002"),
        (500_000, "$0.50"),
        (12_345, "$0.0123"),
        (1_500_000, "$1.50"),
        (12_345_678_900, "$12,345.68"),
    ],
)
def test_a_sum_of_money_is_rounded_to_its_significant_digits(microusd: int, text: str) -> None:
    assert dollars(microusd) == text


def test_a_cost_under_a_tenth_of_a_thousandth_is_not_shown_as_0() -> None:
    assert [shown("cost_microusd", value) for value in (0, 5, 2000, None)] == ["0.0000", "0.000005", "0.0020", "-"]


@pytest.mark.parametrize(
    ("column", "value", "text"),
    [
        ("rules", '["searches","readers"]', "searches, readers"),
        ("rules", "no JSON", "no JSON"),
        ("counters", '{"searches":[14,15,15]}', "searches 14 → 15 of 15"),
        ("counters", '{"searches":[15,15,15],"a.reopened":[1,2,3]}', "searches 15 of 15, a.reopened 1 → 2 of 3"),
        ("counters", '{"budgets.session":[10000,20000,420000]}', "budgets.session $0.01 → $0.02 of $0.42"),
        (
            "counters",
            '{"tenants.a.session.cost_usd.reopened":[0,0,1000000]}',
            "tenants.a.session.cost_usd.reopened $0 of $1",
        ),
        ("counters", '{"session.duration_s":[61500,61500,60000]}', "session.duration_s 61.5 s of 60 s"),
        ("counters", '{"a":[1,2,9],"b":[3,3,3],"c":[8,9,10],"d":[0,0,0]}', "b 3 of 3, d 0 of 0, 2 more"),
        ("counters", '{"odd":"x"}', "odd"),
        ("counters", "[1]", "[1]"),
    ],
)
def test_what_a_decision_counted_is_shown_in_words(column: str, value: str, text: str) -> None:
    assert shown(column, value) == text
