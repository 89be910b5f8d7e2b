"""Every report of one fixed lake at 80, 120 and 200 columns, in a golden file for each width: read them as an operator.

Regenerate with UPDATE_GOLDEN=1, and read the difference.
"""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from mcpobs.lake import writer
from mcpobs.output.answer import rows_shown, written
from mcpobs.output.formats import Paper
from mcpobs.output.text import width
from mcpobs.queries import catalog
from mcpobs.reports.answer import Answer
from mcpobs.reports.ask import ask
from mcpobs.reports.request import Request
from tests.golden import check
from tests.queries.http_oracle import http_rows
from tests.queries.recorded import SECOND, START, Row, call, spool

GOLDEN = Path(__file__).parent / "golden"
NOW = START + 3600 * SECOND
WIDTHS = (80, 120, 200)
UUID = "9f2c1a0b-77de-4b1c-9d3e-{:012x}"
SHOWN = ["overview", "all", "p95", *(query.name for query in catalog.reports())]
FOUND = [
    {"id": "inj", "find": "injection", "rule": "a", "where": "content", "count": 1, "action": "block",
     "family": "override", "start": 7},
    {"id": "pii", "find": "email", "rule": "email", "where": "structured", "count": 3, "action": "mask", "start": 0},
]  # fmt: skip


def _traffic() -> list[Row]:
    """Two servers, sessions by UUID and by name, a loop, failures, refusals, findings, costs and an odd argument."""
    tools = ("search_issues", "get_file_contents", "write_note")
    rows = [
        call(n, tool=tools[n % 3], session_id=UUID.format(n // 12), ms=10 + n % 7, cost_microusd=500, client_name="ide")
        for n in range(240)
    ]
    rows += [call(300 + n, session_id="looping", args_digest="x", result_digest="y", ms=20) for n in range(8)]
    rows += [
        call(320 + n, session_id=UUID.format(900), tool="get_file_contents", outcome="tool_error", ms=90)
        for n in range(5)
    ]
    rows += [
        call(330 + n, session_id="nightly-import-of-customers", tool="create_payment", service_name="payments-eu",
             outcome="server_error", error_type="-32603", status_code="-32603", ms=1500)
        for n in range(3)
    ]  # fmt: skip
    rows += [call(340, session_id="attacker", tool="write_note", flags=["traversal"], longest=4000, ms=11)]
    rows += [
        call(400 + n, session_id="agent-heavy-user", tool="search_issues", ms=12, cost_microusd=20_000)
        for n in range(120)
    ]
    refused = {
        "decision": "deny", "outcome": "denied", "decision_code": "call_limit", "policy_mode": "enforce",
        "rules": '["tools.search_issues.calls_per_session","searches"]', "session_id": UUID.format(77),
        "policy_counters": '{"searches":[15,15,15]}', "tool": "search_issues",
    }  # fmt: skip
    rows += [call(600 + n, decision_id=f"{n:016x}", **refused) for n in range(3)]
    rows += [
        call(
            620 + n,
            tool="get_file_contents",
            session_id=UUID.format(n),
            findings=json.dumps(FOUND, separators=(",", ":")),
        )
        for n in (0, 1)
    ]
    return rows + http_rows(random.Random(7), 12)


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Answer]:
    lake = tmp_path_factory.mktemp("widths") / "lake"
    rows = _traffic()
    spool(lake, rows[:200])
    writer.commit(lake, wait=True)
    spool(lake, rows[200:])
    return {name: ask(lake, Request(report=name, rows=20), NOW) for name in SHOWN}


def _text(answer: Answer, paper: Paper) -> str:
    return written(answer, "table", rows_shown(answer, "table", 3), paper=paper)


@pytest.mark.parametrize("cells", WIDTHS)
def test_every_report_fits_the_terminal_and_reads_as_before(cells: int, answers: dict[str, Answer]) -> None:
    texts = {name: _text(answer, Paper(cells_wide=cells)) for name, answer in answers.items()}
    assert {name for name, text in texts.items() if any(width(line) > cells for line in text.splitlines())} == set()
    check(GOLDEN / f"reports-{cells}.txt", "\n".join(f"$ mcpobs report {name}\n{text}" for name, text in texts.items()))
