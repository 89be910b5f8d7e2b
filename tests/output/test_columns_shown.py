"""Which columns of a table a terminal shows: those that answer the question in any width, and no cell is cut."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcpobs.errors import UsageError
from mcpobs.output.groups import chosen
from mcpobs.output.table import Shown, render
from mcpobs.output.text import width
from mcpobs.queries import catalog
from mcpobs.queries.header import Column, Query
from mcpobs.reports.chart import Chart

NAMES = ("tool", "calls", "session_id", "p95_ms", "why", "failed", "cost_microusd", "before_2", "before_1")
TYPES = ("varchar", "bigint", "varchar", "double", "varchar", "bigint", "bigint", "varchar", "varchar")
COLUMNS = [Column(name, type_) for name, type_ in zip(NAMES, TYPES, strict=True)]
CHART = Chart("bar", "tool", ("calls",))
ANSWERS = ("session_id", "why", "calls")
MORE = "--wide"
TEXTS = st.text(st.sampled_from("ab c-_/,"), min_size=1, max_size=90)
ROW = st.tuples(
    TEXTS, st.integers(0, 10**9), TEXTS, st.floats(0, 1e6), TEXTS, st.integers(0, 9), st.none(), TEXTS, TEXTS
)
ROWS = st.lists(ROW, min_size=1, max_size=4)


def _in(text: str) -> str:
    """A text without what lines it is in."""
    return re.sub(r"\s+", "", text)


@given(st.integers(20, 220), ROWS)
def test_the_columns_that_answer_are_there_in_any_width_and_whole(cells: int, rows: list[tuple[object, ...]]) -> None:
    shown = Shown(ANSWERS, more=MORE)
    text = render(COLUMNS, [rows[0]], cells_wide=cells, shown=shown)
    assert all(width(line) <= cells for line in text.splitlines())
    for place in (1, 2, 4):
        letters = list(_in(f"{rows[0][place]:,}" if place == 1 else str(rows[0][place])))
        remaining = iter(_in(text))
        assert all(char in remaining for char in letters), (place, text)


@given(st.integers(20, 220), ROWS)
def test_nothing_is_wider_than_the_terminal_and_what_is_left_out_is_counted(
    cells: int, rows: list[tuple[object, ...]]
) -> None:
    text = render(COLUMNS, rows, cells_wide=cells, shown=Shown(ANSWERS, more=MORE), chart=CHART)
    assert all(width(line) <= cells for line in text.splitlines())
    counted = re.search(r"^([0-9]+) more columns? \(--wide\)", text, re.MULTILINE)
    wide = render(COLUMNS, rows, shown=Shown(ANSWERS, more=MORE))
    assert "more column" not in wide
    assert counted is None or 1 <= int(counted[1]) <= len(COLUMNS) - len(ANSWERS) - 1


@given(st.integers(72, 220), ROWS)
def test_a_bar_hides_no_column(cells: int, rows: list[tuple[object, ...]]) -> None:
    def heads(chart: Chart | None) -> list[str]:
        lines = render(COLUMNS, rows, cells_wide=cells, chart=chart, shown=Shown(ANSWERS)).splitlines()
        return lines[0].split()

    assert heads(CHART) == heads(None)


def test_a_bar_is_drawn_if_everything_fits() -> None:
    rows = [("a", 1, "s", 1.0, "w", 0, None, None, None), ("b", 2, "s", 1.0, "w", 0, None, None, None)]
    assert "█" in render(COLUMNS, rows, cells_wide=120, chart=CHART)


ID = "3f2a9c10-77de-4b1c-9d3e-0123456789ab"
OTHER = "3f2a9c10-77de-4b1c-9d3e-f123456789ab"


@pytest.mark.parametrize("cells", [60, 80, 120])
def test_an_id_is_whole_or_its_first_line_names_it_alone(cells: int) -> None:
    columns = [Column("session_id", "varchar"), Column("why", "varchar"), Column("tool", "varchar")]
    rows = [(one, "calls more than others " * 5, "a_tool_with_a_name") for one in (ID, OTHER)]
    lines = render(columns, rows, cells_wide=cells).splitlines()
    first = [word for line in lines for word in line.split() if word.startswith("3f2a")]
    assert len(set(first)) == 2
    assert all(sum(one.startswith(word) for one in (ID, OTHER)) == 1 for word in first)


def test_a_row_has_a_line_for_each_column_where_a_table_has_no_room() -> None:
    text = render(COLUMNS, [("fetch", 7, ID, 1.5, "x", 0, None, None, None)], cells_wide=24, shown=Shown(ANSWERS))
    assert [line.split() for line in text.splitlines()] == [
        ["session_id", ID[:12]],
        [ID[12:24]],
        [ID[24:]],
        ["why", "x"],
        ["calls", "7"],
    ]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        (["calls"], ("calls",)),
        (["failed", "session_id", "failed"], ("failed", "session_id")),
        (["p95 ms", "cost $", "Tool"], ("p95_ms", "cost_microusd", "tool")),
        (["before", "before_2"], ("before",)),
    ],
)
def test_columns_are_chosen_by_name_or_by_heading(asked: list[str], found: tuple[str, ...]) -> None:
    assert chosen(COLUMNS, asked) == found
    rows = [("fetch", 7, ID, 1.5, "x", 0, 5, "a", "b")]
    text = render(COLUMNS, rows, shown=Shown(ANSWERS, found))
    assert len(text.splitlines()[1].replace(" → ", "→").split()) == len(found)


@pytest.mark.parametrize(
    ("asked", "meant"), [("seson_id", "session_id"), ("p95", "p95_ms"), ("call", "calls"), ("cost", "cost_microusd")]
)
def test_an_unknown_column_names_the_nearest(asked: str, meant: str) -> None:
    with pytest.raises(UsageError, match=f"'{asked}'") as caught:
        chosen(COLUMNS, [asked])
    assert caught.value.hint is not None
    assert caught.value.hint.startswith(f"did you mean {meant}?")


@pytest.mark.parametrize("query", catalog.reports(), ids=lambda query: query.name)
def test_every_report_declares_the_columns_that_answer_its_question(query: Query) -> None:
    assert 2 <= len(query.answers) <= 10


@pytest.mark.parametrize(
    ("name", "value", "colour"),
    [
        ("outcome", "tool_error", "31"),
        ("outcome", "ok", None),
        ("outcome", None, "2"),
        ("failed", 3, "31"),
        ("failed", 0, None),
        ("failed_ratio", 0.5, "31"),
        ("effect", "deny", "31"),
        ("effect", "warn", None),
        ("tool", "failed", None),
        ("tool", None, "2"),
    ],
)
def test_failures_are_red_and_absent_values_dim(name: str, value: object, colour: str | None) -> None:
    column = Column(name, "varchar" if value is None or isinstance(value, str) else "bigint")
    line = render([column], [(value,)], colour=True).splitlines()[1]
    assert re.findall(r"\x1b\[([0-9]+)m", line) == ([colour, "0"] if colour else [])
    assert "\x1b" not in render([column], [(value,)])
