"""What a policy refused, wherever a user looks: `mcpobs decisions`, overview, coverage, a page, an agent's tools."""

from __future__ import annotations

import html
import json
from pathlib import Path
from typing import Any

import pytest

from mcpobs.cli.report import ReportOptions, run_report
from mcpobs.cli.streams import commit_first
from mcpobs.errors import UsageError
from mcpobs.serve.running import Running
from mcpobs.serve.tools import Sources, all_tools
from tests.queries.recorded import call, spool

SENTENCE = "3 calls denied (call_limit 2, order 1); 1 would have been denied (size 1); 1 passed with a warning"


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    lake = tmp_path_factory.mktemp("refused") / "lake"
    denied: dict[str, Any] = {"outcome": "denied", "decision": "deny", "policy_mode": "enforce", "policy_hash": "p"}
    limit = {**denied, "decision_code": "call_limit", "rules": '["searches"]', "error_type": "call_limit"}
    rows = [
        *(call(number) for number in range(5)),
        call(5, **limit, policy_counters='{"searches":[5,5,5]}', decision_id="d5"),
        call(6, **limit, decision_id="d6"),
        call(7, **denied, decision_code="order", rules='["after-lookup"]', tool="refund", decision_id="d7"),
        call(8, decision="warn", shadow_code="size", shadow_rules='["big"]', decision_id="d8"),
        call(9, decision="warn", rules='["tools.search.arguments.shapes"]', decision_id="d9"),
        call(10, decision="allow", policy_hash="p"),
    ]
    spool(lake, rows)
    return lake


def printed(lake: Path, capsys: pytest.CaptureFixture[str], **options: Any) -> str:
    assert run_report(ReportOptions(**{"name": "decisions", "lake": str(lake), **options})) == 0
    return capsys.readouterr().out


def test_decisions_are_listed_the_newest_first_below_a_sentence(lake: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = printed(lake, capsys)
    assert out.startswith(f"{SENTENCE}\n")
    ids = [row["decision_id"] for row in json.loads(printed(lake, capsys, json=True))["rows"]]
    assert ids == ["d9", "d8", "d7", "d6", "d5"]
    assert html.escape(SENTENCE) in printed(lake, capsys, html="-")


@pytest.mark.parametrize(
    ("options", "ids"),
    [
        ({"code": "call_limit"}, ["d6", "d5"]),
        ({"code": "size"}, ["d8"]),
        ({"rule": "after-lookup"}, ["d7"]),
        ({"rule": "big"}, ["d8"]),
        ({"tool": "refund"}, ["d7"]),
        ({"rule": "searches", "code": "order"}, []),
    ],
)
def test_decisions_are_narrowed(
    options: dict[str, str], ids: list[str], lake: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = json.loads(printed(lake, capsys, json=True, **options))
    assert [row["decision_id"] for row in found["rows"]] == ids


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"code": "cal_limit"}, "no denial has the code 'cal_limit'"),
        ({"name": "loops", "code": "call_limit"}, "the report loops takes no --code"),
        ({"name": "overview", "rule": "x"}, "the report overview takes no --rule"),
    ],
)
def test_a_wrong_filter_is_refused(options: dict[str, str], error: str, lake: Path) -> None:
    with pytest.raises(UsageError, match=error):
        run_report(ReportOptions(**{"name": "decisions", "lake": str(lake), **options}))


def test_the_overview_names_denials_and_reports_call_them_by_their_name(
    lake: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    overview = {
        row["question"]: row["answer"] for row in json.loads(printed(lake, capsys, name=None, json=True))["rows"]
    }
    assert overview["What was refused?"].startswith(SENTENCE)
    assert overview["What fails, after what?"] == "none of 11 calls failed, 3 denied"
    failures = json.loads(printed(lake, capsys, name="failures", json=True))["rows"]
    assert {row["outcome"] for row in failures} == {"denied"}
    errors = json.loads(printed(lake, capsys, name="errors", json=True))["rows"]
    assert {row["fault"] for row in errors} == {"policy"}
    (session,) = json.loads(printed(lake, capsys, name="sessions", json=True))["rows"]
    assert (session["calls"], session["failed"]) == (11, 0)
    (layer,) = json.loads(printed(lake, capsys, name="coverage", json=True))["rows"]
    assert (layer["calls"], layer["denied"]) == (11, 3)


def test_an_agent_gets_the_same(lake: Path) -> None:
    tools = {tool.name: tool for tool in all_tools()}
    sources = Sources(lake, commit_first)
    report = tools["report"].answer(sources, Running(), tools["report"].checked({"name": "decisions"}))
    assert (report["answer"], report["rows_total"]) == (SENTENCE, 5)
    explained = tools["explain"].answer(sources, Running(), tools["explain"].checked({"name": "d5"}))
    assert "searches: 5 before, 5 after, at most 5" in str(explained["explanation"])
    assert explained["decisions_total"] == 1


def test_without_a_policy_nothing_is_said_of_denials(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spool(tmp_path / "lake", [call(number) for number in range(3)])
    assert "refused" not in printed(tmp_path / "lake", capsys, name=None)
