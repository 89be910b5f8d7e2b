"""What an answer holds: few rows, short values, and no name that a terminal or a model could obey."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mcpobs.output.text import printable
from mcpobs.queries.header import Column
from mcpobs.serve.bounded import MAX_BYTES, MAX_CHARACTERS, MAX_ROWS, table

TEXT = Column("tool", "varchar")


def _table(rows: list[tuple[Any, ...]], *columns: Column, **options: Any) -> dict[str, Any]:
    return table(columns or (TEXT,), rows, options.pop("total", len(rows)), "ask for less", **options)


def test_all_rows_are_shown_if_they_are_few() -> None:
    result = _table([("a",), (None,)])
    assert result == {
        "columns": [{"name": "tool", "type": "varchar"}],
        "rows": [{"tool": "a"}, {"tool": None}],
        "rows_total": 2,
        "cut": [],
    }


def test_omitted_rows_are_announced_with_the_way_to_get_them() -> None:
    assert _table([("a",)], total=12)["cut"] == ["1 of 12 rows shown: ask for less"]
    result = _table([("a",)], total=2, at_least=True)
    assert (result["rows_total"], result["cut"]) == (None, ["1 of more than 1 rows shown: ask for less"])


def test_an_answer_has_a_size_that_it_never_exceeds() -> None:
    many = _table([("x" * 10,)] * (MAX_ROWS + 5))
    assert len(many["rows"]) == MAX_ROWS
    large = _table([("é" * MAX_CHARACTERS,)] * MAX_ROWS)
    assert 50 < len(large["rows"]) < MAX_ROWS
    assert "200,000 bytes are the most" in large["cut"][0]
    assert len(json.dumps(large["rows"], ensure_ascii=False).encode()) <= MAX_BYTES + len(large["rows"]) * 3


def test_a_long_value_is_cut_and_the_cut_is_announced() -> None:
    result = _table([("x" * (MAX_CHARACTERS + 1),), ("y" * MAX_CHARACTERS,)])
    assert result["rows"][0]["tool"] == "x" * MAX_CHARACTERS + "…"
    assert result["rows"][1]["tool"] == "y" * MAX_CHARACTERS
    assert result["cut"] == ["1 values end with … after 1,000 characters"]


def test_a_reports_nanoseconds_are_a_time_and_ones_own_are_exact() -> None:
    meant = Column("first_unix_nano", "bigint", "start of the first, unix ns")
    result = _table([(1_790_000_000_123_456_789,), (None,), (2**62,), (-(2**62),)], meant)
    assert result["columns"] == [{"name": "first_time", "type": "timestamp", "meaning": "start of the first"}]
    assert result["rows"][:2] == [{"first_time": "2026-09-21T14:13:20.123456789Z"}, {"first_time": None}]
    own = Column("first_unix_nano", "bigint")
    assert _table([(1_790_000_000_123_456_789,)], own)["rows"] == [{"first_unix_nano": "1790000000123456789"}]
    assert _table([(2**53,), (-(2**53),), (2**53 + 1,)], own)["rows"] == [
        {"first_unix_nano": 2**53},
        {"first_unix_nano": -(2**53)},
        {"first_unix_nano": "9007199254740993"},
    ]


@given(st.lists(st.tuples(st.text() | st.integers() | st.floats() | st.booleans() | st.none()), max_size=5), st.text())
def test_whatever_was_recorded_stays_in_json_values_without_a_control(rows: list[tuple[Any]], name: str) -> None:
    result = json.loads(json.dumps(_table(rows, Column(name, "varchar"))))
    assert len(result["rows"]) == len(rows)
    for row, (value,) in zip(result["rows"], rows, strict=True):
        ((shown_name, shown),) = row.items()
        assert printable(shown_name) == shown_name
        if isinstance(value, str):
            assert shown == printable(value)
        elif isinstance(shown, str):
            assert shown == str(value)
        else:
            assert shown == value
