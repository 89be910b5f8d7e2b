"""Which columns of a table a terminal shows: a bar takes the room of none, and a text goes on in narrow lines."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mcpobs.output.fit import ID_CELLS, fit
from mcpobs.output.table import CUT, render
from mcpobs.queries.header import Column
from mcpobs.reports.chart import Chart

NAMES = ("tool", "calls", "session_id", "p95_ms", "why", "failed")
TYPES = ("varchar", "bigint", "varchar", "double", "varchar", "bigint")
COLUMNS = [Column(name, type_) for name, type_ in zip(NAMES, TYPES, strict=True)]
CHART = Chart("bar", "tool", ("calls",))
TEXTS = st.text(st.sampled_from("ab c"), min_size=1, max_size=60)
ROW = st.tuples(TEXTS, st.integers(0, 10**9), TEXTS, st.floats(0, 1e6), TEXTS, st.integers(0, 9))


def _headings(cells: int, rows: list[tuple[object, ...]], chart: Chart | None) -> list[str]:
    return render(COLUMNS, rows, cells_wide=cells, chart=chart).splitlines()[0].split()


@given(st.integers(10, 200), st.lists(ROW, min_size=2, max_size=4))
def test_a_bar_hides_no_column(cells: int, rows: list[tuple[object, ...]]) -> None:
    assert _headings(cells, rows, CHART) == _headings(cells, rows, None)


def test_a_bar_is_drawn_if_everything_fits() -> None:
    rows = [("a", 1, "s", 1.0, "w", 0), ("b", 2, "s", 1.0, "w", 0)]
    assert "█" in render(COLUMNS, rows, cells_wide=120, chart=CHART)
    assert CUT not in _headings(120, rows, CHART)


@given(st.integers(20, 120), st.integers(1, 40), st.integers(10, 300))
def test_a_text_is_shown_if_it_fits_in_narrow_lines(cells: int, first: int, text: int) -> None:
    found = fit([first, text], [1, 1], ["whole", "prose"], cells, 2)
    assert (len(found.widths) == 2) == (first + 2 + min(text, ID_CELLS) <= cells)
    assert first > cells or sum(found.widths) + 2 * (len(found.widths) - 1) <= cells
