"""Every door gives the library's answer: the same rows, sentence and warnings, as a table, JSON, HTML and by MCP."""

from __future__ import annotations

import html
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mcpobs.cli.report import ReportOptions, run_report
from mcpobs.cli.streams import commit_first
from mcpobs.lake import writer
from mcpobs.output.json_text import plain
from mcpobs.output.text import printable
from mcpobs.queries import catalog
from mcpobs.reports.answer import Answer
from mcpobs.reports.ask import ask
from mcpobs.reports.filters import Filters
from mcpobs.reports.request import Request
from mcpobs.serve.running import Running
from mcpobs.serve.tools import Sources, all_tools
from tests.queries.http_oracle import http_rows
from tests.queries.recorded import SECOND, START, call, spool

import random  # isort: skip
from tests.seeds import some

TOOLS = {tool.name: tool for tool in all_tools()}
NAMES = ["overview", "p95", *(query.name for query in catalog.reports())]
OPTIONS: list[dict[str, Any]] = [
    {},
    {"tool": "search"},
    {"session": "loop"},
    {"since": "2026-09-21T14:15:20Z"},
    {"since": "2030-01-01"},
]


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Calls in Parquet and in the spool, with a damaged line and a session whose receipt stands for its time."""
    lake = tmp_path_factory.mktemp("doors") / "lake"
    rows = [call(n, tool=("search", "fetch")[n % 2], session_id=f"quiet-{n // 10}", ms=10 + n) for n in range(80)]
    rows += [call(100 + n, session_id="looping", args_digest="x", result_digest="y", ms=20) for n in range(8)]
    rows += [call(120 + n, session_id="failing", tool="fetch", outcome="tool_error", cost_microusd=9) for n in range(5)]
    rows += [call(130, session_id="attacker", tool="<b>write</b>", flags=["traversal"])]
    rows += [call(140, session_id="late", sent_start_unix_nano=START + 9_000 * SECOND)]
    rows += http_rows(random.Random(7), 6)
    spool(lake, rows[:60])
    writer.commit(lake, wait=True)
    spool(lake, rows[60:])
    (segment,) = [path for path in (lake / "spool").glob("*.jsonl") if b'"args_digest":"a70"' in path.read_bytes()]
    segment.write_bytes(segment.read_bytes().replace(b'"a70"', b'"xx0"'))
    return lake


@pytest.fixture
def printed(lake: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    def run(name: str, **options: Any) -> str:
        assert run_report(ReportOptions(name=name, lake=str(lake), **options)) == 0
        return capsys.readouterr().out

    return run


def answer_of(lake: Path, name: str, options: dict[str, Any]) -> Answer:
    filters = Filters(options.get("tool"), options.get("session"))
    request = Request(name, options.get("since"), filters=filters)
    return ask(lake, request, time.time_ns())


ASKED = [
    (name, OPTIONS[(turn + number) % len(OPTIONS)]) for turn in range(len(OPTIONS)) for number, name in enumerate(NAMES)
]
"""Every report with every option; the first twice as many as reports have each report twice and every option."""


@pytest.mark.parametrize("asked", [("all", {}), *some(2 * len(NAMES), ASKED)])
def test_a_page_and_a_table_and_a_document_say_what_the_library_answers(
    asked: tuple[str, dict[str, Any]], lake: Path, printed: Callable[..., str]
) -> None:
    name, options = asked
    answer = answer_of(lake, name, options)
    found = json.loads(printed(name, json=True, **options))
    assert found.get("answer") == answer.sentence
    assert found["total"] == answer.result.total
    assert [list(row.values()) for row in found["rows"]] == [[plain(v) for v in row] for row in answer.result.rows]
    assert found["warnings"] == [warning.text for warning in answer.warnings]
    assert answer.warnings
    page = printed(name, html="-", **options)
    table = printed(name, limit=1000, **options)
    if answer.sentence is not None:
        assert html.escape(printable(answer.sentence)) in page
        assert table.startswith(answer.sentence + "\n")
    for warning in answer.warnings:
        assert html.escape(warning.text) in page
    assert bool(answer.empty) == (not answer.result.rows)


@pytest.mark.parametrize("asked", some(len(NAMES), ASKED))
def test_an_agent_gets_what_the_library_answers(asked: tuple[str, dict[str, Any]], lake: Path) -> None:
    name, options = asked
    answer = answer_of(lake, name, options)
    tool = TOOLS["overview" if name == "overview" else "report"]
    given = options if name == "overview" else {**options, "name": name, "limit": 1000}
    found: dict[str, Any] = tool.answer(Sources(lake, commit_first), Running(), tool.checked(given))
    expected = answer.sentence or (answer.empty.text if answer.empty is not None else None)
    assert found["answer"] == (None if expected is None else printable(expected))
    assert (found["report"], found["rows_total"]) == (answer.report, answer.result.total)
    assert found["warnings"] == [warning.text for warning in answer.warnings]
    for here, there in zip(found["rows"], answer.result.records(), strict=True):
        for (shown, value), (column, known) in zip(here.items(), there.items(), strict=True):
            if column.endswith("_unix_nano"):
                assert shown == column.replace("_unix_nano", "_time")
            elif column != "more":
                assert value == (printable(known) if isinstance(known, str) else plain(known)), column
