"""`mcpobs columns`, and `show tables` and `describe` of `mcpobs query`: one name for a thing everywhere."""

from __future__ import annotations

import json

import pytest

from mcpobs.cli.columns import run_columns
from mcpobs.cli.query import run_query
from mcpobs.errors import EXIT_OK, UsageError
from mcpobs.output.table import Shown, render
from mcpobs.queries import catalog
from mcpobs.queries.fence import RELATIONS
from mcpobs.queries.header import Column, Query


def _rows(capsys: pytest.CaptureFixture[str]) -> list[dict[str, str]]:
    rows: list[dict[str, str]] = json.loads(capsys.readouterr().out)["rows"]
    return rows


def test_without_a_name_every_table_and_report_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_columns([], json=True) == EXIT_OK
    listed = [(row["kind"], row["name"]) for row in _rows(capsys)]
    reports = [("report", query.name) for query in catalog.reports()]
    assert listed == [*(("table", name) for name in RELATIONS), *reports]


@pytest.mark.parametrize("name", RELATIONS)
@pytest.mark.parametrize("sql", ["describe {}", "DESC {};", " describe table {} ", 'describe "{}"'])
def test_describe_and_columns_say_the_same(name: str, sql: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_columns([name], json=True) == EXIT_OK
    columns = _rows(capsys)
    assert [row["column"] for row in columns] == [column.name for column in catalog.columns_of(name)]
    assert run_query(sql.format(name), json=True) == EXIT_OK
    assert _rows(capsys) == columns


def test_show_tables_lists_what_sql_can_read(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_query("show tables", json=True) == EXIT_OK
    assert [row["name"] for row in _rows(capsys)] == list(RELATIONS)


@pytest.mark.parametrize("query", catalog.reports(), ids=lambda query: query.name)
def test_a_report_has_the_columns_of_its_header(query: Query, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_columns(["report", query.name], json=True) == EXIT_OK
    assert [row["column"] for row in _rows(capsys)] == [column.name for column in query.columns]


@pytest.mark.parametrize(
    ("names", "meant"),
    [(["tool_cals"], "tool_calls"), (["report", "loop"], "loops"), (["a", "b"], "columns tool_calls")],
)
def test_an_unknown_name_names_the_nearest(names: list[str], meant: str) -> None:
    with pytest.raises(UsageError) as caught:
        run_columns(names)
    assert meant in str(caught.value.hint)


@pytest.mark.parametrize(
    ("name", "type_", "value", "cell"),
    [
        ("Share of All", "varchar", "x", "x"),
        ("service_name", "varchar", "files", "files"),
        ("failed_ratio", "double", 0.25, "0.25"),
        ("cost_microusd", "bigint", 3_240_000, "3,240,000"),
        ("before_1", "varchar", "a", "a"),
        ("bits", "bigint", 3, "3"),
        ("last_unix_nano", "bigint", 1_790_000_000_000_000_000, "2026-09-21 14:13:20"),
        ("rules", "varchar", '["a"]', '["a"]'),
    ],
)
def test_a_user_s_alias_is_printed_as_written_and_its_value_in_its_unit(
    name: str, type_: str, value: object, cell: str
) -> None:
    heading, line = render([Column(name, type_)], [(value,)], shown=Shown(own=True)).splitlines()
    assert (heading.strip(), line.strip()) == (name, cell)
