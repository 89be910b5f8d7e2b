"""Bars, sparklines, and which rows they stand for."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mcpobs.output import table
from mcpobs.output.bars import bar, shares
from mcpobs.output.marks import labelled, marks
from mcpobs.output.sparks import sparkline, step_words
from mcpobs.output.text import width
from mcpobs.queries import catalog
from mcpobs.queries.header import Column
from mcpobs.queries.run import Result
from mcpobs.reports.activity import MOST, bucket_ns, steps
from mcpobs.reports.chart import Chart, read_chart

SECOND = 1_000_000_000
COLUMNS = (
    Column("service_name", "varchar"),
    Column("tool", "varchar"),
    Column("outcome", "varchar"),
    Column("calls", "bigint"),
)
BY_CALLS = Chart("bar", "tool", ("calls",))


@pytest.mark.parametrize(
    ("share", "drawn"),
    [(None, ""), (0.0, ""), (1.0, "████"), (0.5, "██"), (0.25, "█"), (1 / 32, "▏"), (1e-9, "▏"), (0.72, "██▉")],
)
def test_a_bar_is_as_long_as_its_share_and_never_nothing_for_something(share: float | None, drawn: str) -> None:
    assert bar(share, 4) == drawn


@given(st.floats(0, 1), st.integers(1, 40))
def test_a_bar_keeps_to_its_room(share: float, cells: int) -> None:
    assert width(bar(share, cells)) <= cells


def test_shares_are_of_the_largest_and_a_value_that_is_no_number_has_none() -> None:
    assert shares([5, 10, None, True, float("nan"), -1, float("inf")]) == [0.5, 1.0, None, None, None, None, None]
    assert shares([0, 0]) == [0.0, 0.0]
    assert shares([]) == []


def test_every_chart_of_a_header_can_be_drawn() -> None:
    charted = [query for query in catalog.reports() if query.chart]
    assert len(charted) >= 6
    for query in charted:
        chart = read_chart(query)
        assert chart is not None, query.name
        assert all({c.name: c.type for c in query.columns}[value] in ("bigint", "double") for value in chart.values)


def test_rows_that_share_a_label_are_distinguished_by_their_next_text() -> None:
    rows = [("a", "fetch", "ok", 1), ("a", "fetch", "timeout", 2), ("b", "fetch", "ok", 3)]
    assert labelled(BY_CALLS, COLUMNS, rows) == ["fetch · a · ok", "fetch · a · timeout", "fetch · b · ok"]
    assert labelled(BY_CALLS, COLUMNS, rows[1:2]) == ["fetch"]
    assert [mark.values for mark in marks(BY_CALLS, COLUMNS, [*rows, ("c", "x", "ok", None)], 9)] == [(1,), (2,), (3,)]


FAILING = {
    "calls": ("calls", ("tool", "calls", "failed"), ("a", 8, 2), "a", 0.25),
    "none failed": ("calls", ("tool", "calls", "failed"), ("a", 8, 0), "a", 0.0),
    "requests": ("requests", ("path", "requests", "rejected"), ("/", 4, 3), "/", 0.75),
    "a loop": ("wasted", ("session_id", "pattern", "wasted"), ("s", "a", 9), "s · a", 1.0),
    "an outcome": ("calls", ("tool", "outcome", "calls"), ("a", "timeout", 9), "a", 1.0),
    "a good outcome": ("calls", ("tool", "outcome", "calls"), ("a", "ok", 9), "a", 0.0),
    "a precursor": ("lift", ("before", "tool", "fault", "lift"), ("b", "a", "tool", 9.0), "a · b", 1.0),
    "a shape": ("calls", ("args_shape", "tool", "calls"), ("{}", "a", 9), "a · {}", 0.0),
    "a session": ("calls", ("session_id", "calls", "failed", "main_tool"), ("s", 9, 9, None), "s", 1.0),
}


@pytest.mark.parametrize("case", FAILING)
def test_a_mark_names_its_tool_and_the_share_of_it_that_failed(case: str) -> None:
    value, names, row, label, failed = FAILING[case]
    columns = [Column(name, "varchar") for name in names]
    (mark,) = marks(Chart("bar", names[0], (value,)), columns, [row], 9)
    assert (mark.label, mark.failed) == (label, failed)


@pytest.mark.parametrize("cells", [160, 100, 80, 72])
def test_a_table_with_bars_keeps_to_the_terminal(cells: int) -> None:
    rows = [("a", f"tool-{n}" * n, "ok", 10**n) for n in range(1, 7)]
    text = table.render(COLUMNS, rows, cells_wide=cells, chart=BY_CALLS)
    assert all(width(line) <= cells for line in text.splitlines())
    assert "█" in text


def test_where_a_bar_would_take_the_room_of_what_can_be_read_there_is_none() -> None:
    rows = [("a", "x", "ok", 1), ("a", "y", "ok", 2)]
    assert "█" not in table.render(COLUMNS, rows, cells_wide=60, chart=BY_CALLS)
    assert "█" not in table.render(COLUMNS, rows[:1], chart=BY_CALLS)
    assert table.render(COLUMNS, [], chart=BY_CALLS) == table.render(COLUMNS, [])


TIMES = st.integers(0, 2**63 - 1)
LONGEST = 364 * 86_400 * SECOND
BOUNDARIES = st.builds(lambda years, ns: years * LONGEST + ns, st.integers(0, 292), st.integers(-SECOND, SECOND))


@given(TIMES | BOUNDARIES, TIMES | BOUNDARIES)
@example(1_541_030_400_000_000_000, 7_170_508_800_000_000_000)
def test_the_steps_between_any_two_times_are_few_and_no_longer_than_necessary(one: int, other: int) -> None:
    first, last = sorted((one, other))
    step = bucket_ns(first, last)
    assert last // step - first // step < MOST
    if step > LONGEST:
        shorter = step - LONGEST
        assert last // shorter - first // shorter >= MOST


def test_steps_without_calls_are_there_and_empty() -> None:
    columns = tuple(Column(name, "bigint") for name in ("from_unix_nano", "calls", "failed"))
    found = Result(columns, [(10 * SECOND, 4, 1), (30 * SECOND, 2, 0), (99 * SECOND, 7, 7)], 3)
    made = steps(found, 12 * SECOND, 39 * SECOND, 10 * SECOND)
    assert (made.start_unix_nano, made.calls, made.failed) == (10 * SECOND, (4, 0, 2), (1, 0, 0))
    assert made.end_unix_nano == 40 * SECOND


@pytest.mark.parametrize(
    ("values", "cells", "drawn"),
    [
        ([], 8, ""),
        ([0, 0], 8, "  "),
        ([1, 0, 1000], 8, "▁ █"),
        ([1, 2, 3, 4, 5, 6, 7, 8], 8, "▁▂▃▄▅▆▇█"),
        ([1, 1, 2, 2], 2, "▄█"),
    ],
)
def test_a_sparkline_is_blank_only_for_zero(values: list[int], cells: int, drawn: str) -> None:
    assert sparkline(values, cells) == drawn


@pytest.mark.parametrize(
    ("seconds", "words"), [(1, "1 second"), (30, "30 seconds"), (60, "1 minute"), (7200, "2 hours"), (86_400, "1 day")]
)
def test_the_length_of_a_step_in_words(seconds: int, words: str) -> None:
    assert step_words(seconds * SECOND) == words
