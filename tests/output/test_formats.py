"""Every format of an answer, byte by byte. Regenerate with UPDATE_GOLDEN=1, and read the difference."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import pytest

from mcpobs.output import csv_text, json_text, markdown, table
from mcpobs.queries.header import Column
from mcpobs.terminal import printable
from tests.golden import check

GOLDEN = Path(__file__).parent / "golden"
COLUMNS = (
    Column("session_id", "varchar", "the session"),
    Column("service_name", "varchar", "the MCP server"),
    Column("tool", "varchar", "the tool"),
    Column("calls", "bigint", "calls"),
    Column("p95_ms", "double", "95th percentile"),
    Column("failed_ratio", "double", "share that failed"),
    Column("odd", "boolean", "unusual"),
    Column("before_2", "varchar", "two before"),
    Column("before_1", "varchar", "one before"),
    Column("last_unix_nano", "bigint", "the last call"),
    Column("cost_microusd", "bigint", "cost"),
)
ROWS: list[tuple[object, ...]] = [
    (
        "0123456789abcdef0123456789abcdef",
        "files",
        "search",
        1234,
        812.345,
        0.05,
        True,
        "a",
        "b",
        1790000000123456789,
        12,
    ),
    ("s2", "files", "検索", 1, 0.00123, 0.0, False, None, "b", 1790000000000000000, None),
    ("s,3", "files", 'pipe | "quote"\n\x1b[31m\u202e*bold* <b>', 20, 99.96, 1.0, None, None, None, None, 0),
    ("", "files", None, None, None, None, None, None, None, None, None),
]


def test_the_table_for_a_pipe_is_as_wide_as_it_needs() -> None:
    check(GOLDEN / "table.txt", table.render(COLUMNS, ROWS))


@pytest.mark.parametrize("cells", [120, 80, 40])
def test_the_table_for_a_terminal_fits_it(cells: int) -> None:
    text = table.render(COLUMNS, ROWS, cells_wide=cells)
    check(GOLDEN / f"table-{cells}.txt", text)
    assert all(table.width(line) <= cells for line in text.splitlines())


def test_the_table_in_colour_says_the_same_words() -> None:
    text = table.render(COLUMNS, ROWS, colour=True)
    assert text.startswith("\x1b[1m")
    assert re.sub("\x1b\\[[0-9]+m", "", text) == table.render(COLUMNS, ROWS)


def test_the_server_is_shown_if_there_are_several() -> None:
    two = [ROWS[0], (*ROWS[1][:1], "web", *ROWS[1][2:])]
    assert "service_name" in table.render(COLUMNS, two).splitlines()[0]


def test_markdown_escapes_what_it_would_read_as_its_own() -> None:
    check(GOLDEN / "table.md", markdown.render(COLUMNS, ROWS))


def test_csv_is_safe_to_look_at_and_to_open_in_a_spreadsheet() -> None:
    text = csv_text.render(COLUMNS, ROWS)
    check(GOLDEN / "table.csv", text)
    assert [row[2] for row in csv.reader(io.StringIO(text, newline=""))][3] == printable(str(ROWS[2][2]))


def test_raw_csv_is_quoted_as_rfc_4180_says_and_reads_back_the_same() -> None:
    text = csv_text.render(COLUMNS, ROWS, raw=True)
    check(GOLDEN / "table-raw.csv", text)
    read = list(csv.reader(io.StringIO(text, newline="")))
    assert read[0] == [column.name for column in COLUMNS]
    assert [row[2] for row in read[1:]] == ["search", "検索", ROWS[2][2], ""]
    assert all(len(row) == len(COLUMNS) for row in read)


def test_json_is_ascii_and_reads_back_the_same() -> None:
    text = json_text.render(json_text.document(COLUMNS, ROWS))
    check(GOLDEN / "table.json", text)
    assert text.isascii()
    read = json.loads(text)
    assert [tuple(row.values()) for row in read["rows"]] == ROWS


def test_json_says_as_text_what_it_has_no_word_for() -> None:
    columns = tuple(Column(name, "x") for name in "abcd")
    document = json_text.document(columns, [(float("inf"), float("nan"), b"\x00\xff", {1: [float("-inf")]})])
    assert json.loads(json_text.render(document))["rows"] == [
        {"a": "inf", "b": "nan", "c": "00ff", "d": {"1": ["-inf"]}}
    ]


def test_an_answer_without_rows_keeps_its_header() -> None:
    assert csv_text.render(COLUMNS[:2], []) == "session_id,service_name\r\n"
    assert markdown.render(COLUMNS[:1], []) == "| session\\_id |\n| --- |\n"
    assert json_text.document(COLUMNS[:1], [])["rows"] == []


def test_every_golden_file_is_used() -> None:
    folder = Path(__file__).parent / "golden"
    used = {
        "table.txt",
        "table-120.txt",
        "table-80.txt",
        "table-40.txt",
        "table.md",
        "table.csv",
        "table-raw.csv",
        "table.json",
    }
    assert {path.name for path in folder.iterdir()} == used
