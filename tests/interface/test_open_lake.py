"""The Python interface gives the figures of the other doors, in forms that polars, Arrow and plain Python take."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import polars
import pytest

import mcpobs
from mcpobs.cli.query import run_query
from mcpobs.errors import LakeError, UsageError
from mcpobs.interface import Lake, Table
from mcpobs.lake import writer
from mcpobs.output.json_text import plain
from mcpobs.queries import catalog
from mcpobs.reports.ask import ask
from mcpobs.reports.filters import Filters
from mcpobs.reports.request import Request
from tests.queries.recorded import call, spool
from tests.seeds import some

DOCUMENT = Path(__file__).parents[2] / "docs" / "python.md"
NAMES = ["overview", "p95", "all", *(query.name for query in catalog.reports())]
FILTERS: list[dict[str, Any]] = [{}, {"tool": "search"}, {"session": "loop"}, {"since": "2030-01-01"}]
SQL = "select tool, count(*) as calls, max(result_empty) as empty from tool_calls group by tool order by tool"


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    folder = tmp_path_factory.mktemp("python") / "lake"
    rows = [
        call(n, tool=("search", "fetch")[n % 2], session_id=f"quiet-{n // 10}", service_name="shop", ms=10 + n)
        for n in range(60)
    ]
    rows += [
        call(100 + n, session_id="looping", service_name="shop", args_digest="x", result_digest="y") for n in range(8)
    ]
    rows += [call(120 + n, session_id="failing", tool="fetch", outcome="tool_error") for n in range(3)]
    spool(folder, rows[:40])
    writer.commit(folder, wait=True)
    spool(folder, rows[40:])
    return mcpobs.open_lake(folder)


ASKED = [(name, FILTERS[number % len(FILTERS)]) for number, name in enumerate(NAMES)]


@pytest.mark.parametrize("asked", some(6, ASKED), ids=lambda asked: asked[0])
def test_a_report_has_the_rows_sentence_and_warnings_of_the_library(
    asked: tuple[str, dict[str, Any]], lake: Lake
) -> None:
    name, given = asked
    found = lake.report(name, **given)
    request = Request(name, given.get("since"), filters=Filters(given.get("tool"), given.get("session")))
    expected = ask(lake.path, request, time.time_ns())
    assert found.to_dicts() == expected.result.records() == list(found)
    assert (found.sentence, found.total, len(found)) == (
        expected.sentence,
        expected.result.total,
        len(expected.result.rows),
    )
    assert found.warnings == tuple(warning.text for warning in expected.warnings)
    assert (found.note is None) == (expected.empty is None)
    assert list(found.parts) == [part.report for part in expected.parts]
    for part, known in zip(found.parts.values(), expected.parts, strict=True):
        assert part.to_dicts() == known.result.records()
    for form in (found.to_polars(), polars.DataFrame(found.to_arrow())):
        assert form.columns == [column.name for column in found.columns]
        assert form.rows() == found.rows


def test_limit_cuts_the_rows_and_total_counts_them_all(lake: Lake) -> None:
    found = lake.report("latency", limit=1)
    assert (len(found), found.total) == (1, lake.report("latency").total)
    assert found.total > 1


def test_sql_answers_as_the_command_does(lake: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    found = lake.sql(SQL)
    assert run_query(SQL, json=True, lake=str(lake.path)) == 0
    printed = json.loads(capsys.readouterr().out)
    assert [list(row.values()) for row in printed["rows"]] == [[plain(v) for v in row] for row in found.rows]
    assert [column.name for column in found.columns] == [column["name"] for column in printed["columns"]]
    assert found.total == printed["total"] == 2
    assert len(lake.sql(SQL, limit=1)) == 1


VALUES = {
    "12345678901": 12345678901,
    "170141183460469231731687303715884105727": "170141183460469231731687303715884105727",
    "1.5::double": 1.5,
    "true": True,
    "'text'": "text",
    "null::bigint": None,
    "date '2026-01-02'": "2026-01-02",
    "[1, 2]": "[1, 2]",
    "{'a': 1}": '{"a": 1}',
    "1.25::decimal(5, 2)": "1.25",
}


def test_arrow_has_numbers_texts_and_booleans_and_text_for_all_else(lake: Lake) -> None:
    found = lake.sql("select " + ", ".join(f"{sql} as v{number}" for number, sql in enumerate(VALUES)))
    assert polars.DataFrame(found.to_arrow()).row(0) == tuple(VALUES.values())
    assert found.to_polars().row(0)[7] == [1, 2]


@pytest.mark.parametrize(
    ("ask_it", "hint"),
    [
        (lambda lake: lake.report("latncy"), "latency"),
        (lambda lake: lake.report("latency", tool="serch"), "search"),
        (lambda lake: lake.report("latency", since="yesterday-ish"), "2h"),
        (lambda lake: lake.report("loops", min_calls=3), "leave it out"),
        (lambda lake: lake.sql("delete from tool_calls"), "select"),
        (lambda lake: lake.sql("select nosuch from tool_calls"), ""),
    ],
)
def test_a_wrong_question_is_an_error_with_a_hint(ask_it: Any, hint: str, lake: Lake) -> None:
    with pytest.raises(UsageError) as caught:
        ask_it(lake)
    assert hint in (caught.value.hint or "")


def test_a_folder_without_a_lake_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(LakeError):
        mcpobs.open_lake(tmp_path / "nothing")


def test_the_text_of_an_answer_is_what_the_command_prints(lake: Lake) -> None:
    found = lake.report("latency")
    text = repr(found)
    assert "search" in text
    assert "p95 ms" in text
    assert repr(lake.sql("select 1 as one where false")) == "no rows\n"
    assert repr(lake.report("latency", since="2030-01-01")).startswith("no calls")
    assert "more rows" in repr(lake.sql("select span_id from tool_calls"))


def test_the_examples_of_the_document_run(lake: Lake, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lake").symlink_to(lake.path)
    monkeypatch.setenv("MCPOBS_LAKE", str(lake.path))
    blocks = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.S)
    names: dict[str, Any] = {}
    for block in blocks:
        exec(block.replace('"./lake"', "").replace('since="7d", ', ""), names)  # the code of the document
    assert [row["tool"] for row in names["latency"]] == ["fetch", "search"]
    assert names["everything"].parts["loops"].total == 1
    assert isinstance(names["calls"], Table)


def test_it_loads_no_part_of_the_command_line() -> None:
    code = "import sys, mcpobs; mcpobs.open_lake; print(*sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=dict(os.environ)
    )
    loaded = set(done.stdout.split())
    assert "mcpobs.interface.lake" in loaded
    assert not {name for name in loaded if name.startswith(("mcpobs.cli", "typer", "rich", "polars", "mcpobs.serve"))}
