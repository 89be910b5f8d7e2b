"""The morning page in every format, byte by byte. Regenerate with UPDATE_GOLDEN=1, and read the difference."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from mcpobs.output.answer import rows_shown, written
from mcpobs.output.formats import Format, Paper
from mcpobs.queries.header import Column
from mcpobs.queries.run import Result
from mcpobs.reports.activity import Activity
from mcpobs.reports.answer import SENTENCES, Answer
from mcpobs.reports.chart import Chart
from mcpobs.reports.warnings import Remark
from mcpobs.reports.window import EVERYTHING
from tests.golden import check

GOLDEN = Path(__file__).parent / "golden_answer"
LATENCY = (
    Column("tool", "varchar", "the tool"),
    Column("calls", "bigint", "calls"),
    Column("p95_ms", "double", "95th percentile"),
)
LOOPS = (Column("session_id", "varchar", "the session"), Column("wasted", "bigint", "calls that brought nothing"))
SLOW: list[tuple[object, ...]] = [("fetch|x", 12, 812.3), ("search", 1204, 80.5), ("\x1b[2J", 3, 1.25)]
FORMS: list[Format] = ["table", "json", "csv", "markdown"]


def _page() -> Answer:
    latency = Answer(
        "latency",
        "How long?",
        None,
        EVERYTHING,
        Result(LATENCY, SLOW, 3),
        "mcpobs report latency",
        chart=Chart("bar", "tool", ("p95_ms",)),
    )
    loops = Answer("loops", "Is an agent going round?", None, EVERYTHING, Result(LOOPS, [], 0), "mcpobs report loops")
    values: list[tuple[object, ...]] = [
        ("Which tool is slow?", "fetch|x: p95 812 ms", "mcpobs report latency"),
        ("Is an agent in a loop?", "no loops", "mcpobs report loops"),
    ]
    activity = Activity(1_790_000_000_000_000_000, 60_000_000_000, (4, 0, 12, 8), (0, 0, 3, 0))
    return Answer(
        "all",
        "What is going on?",
        "1,219 tool calls in 3 sessions",
        EVERYTHING,
        Result(SENTENCES, values, 2),
        "mcpobs report all",
        layout="digest",
        parts=(latency, loops),
        activity=activity,
        warnings=(Remark("a file is damaged"),),
    )


@pytest.mark.parametrize("form", FORMS)
def test_the_morning_page_in_every_format(form: Format) -> None:
    check(GOLDEN / f"all.{form}", written(_page(), form, 2))


def test_the_morning_page_with_bars_has_the_calls_over_time() -> None:
    check(GOLDEN / "all-bars.table", written(_page(), "table", 2, paper=Paper(blocks=True)))


def test_the_morning_page_as_csv_and_json_says_the_same() -> None:
    lines = list(csv.DictReader(io.StringIO(written(_page(), "csv", None, raw=True), newline="")))
    page = json.loads(written(_page(), "json", None))
    values = {(line["report"], int(line["row"]), line["column"]): line["value"] for line in lines}
    expected = {(part["report"], 0, "answer"): part["answer"] for part in page["reports"]}
    for part in page["reports"]:
        for number, row in enumerate(part["rows"], start=1):
            expected |= {(part["report"], number, name): str(value) for name, value in row.items()}
    assert values == expected


def test_a_page_shows_the_top_of_each_table_and_a_table_for_programs_has_all() -> None:
    page = _page()
    alone = page.parts[0]
    assert [rows_shown(page, form, None) for form in FORMS] == [5, None, None, 5]
    assert [rows_shown(alone, form, None) for form in FORMS] == [20, None, None, None]
    assert rows_shown(page, "csv", 7) == rows_shown(alone, "table", 7) == 7


def test_every_golden_file_is_used() -> None:
    assert {path.name for path in GOLDEN.iterdir()} == {"all-bars.table", *(f"all.{form}" for form in FORMS)}
