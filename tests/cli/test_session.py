"""One session as a timeline: its head, its calls in order, lanes, retries and folded runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mcpobs.cli.session import run_session
from mcpobs.errors import UsageError
from tests.golden import check
from tests.queries.recorded import Row, call, spool

GOLDEN = Path(__file__).parent / "golden"


def rows() -> list[Row]:
    found = '[{"id":"a","find":"injection","kind":"injection","where":"content","count":1,"action":"flag"}]'
    plain: list[dict[str, Any]] = [
        {"tool": "list_products", "ms": 30},
        {"tool": "search", "args_digest": "x", "outcome": "tool_error", "error_type": "tool_error", "ms": 1_500},
        {"tool": "search", "args_digest": "x", "at_s": 2.6, "ms": 40, "cost_microusd": 20_000},
        {"tool": "fetch", "at_s": 3, "ms": 5_000},
        {"tool": "fetch", "at_s": 3.5, "ms": 200, "findings": found},
        *({"tool": "poll", "args_digest": "p", "at_s": 10 + n, "ms": 2} for n in range(30)),
        {"tool": "refund", "at_s": 50, "outcome": "denied", "decision_code": "call_limit", "ms": 0},
        {"tool": "tool with a very long name indeed", "at_s": 60, "args_shape": "{a:string,bbbbbbbb:{c:number}}"},
        {"tool": "hung", "at_s": 70, "outcome": "unfinished", "error_type": "client_disconnect", "ms": 31_000},
    ]
    named = {"session_id": "session-one", "client_name": "agent", "client_version": "1.2"}
    return [call(number, **named, **columns) for number, columns in enumerate(plain)]


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    spool(tmp_path, [*rows(), call(99, session_id="session-two")])
    return tmp_path


def test_a_timeline_fits_80_columns_and_folds_equal_calls(lake: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_session("session-o", lake=str(lake))
    text = capsys.readouterr().out
    check(GOLDEN / "session.txt", text)
    assert max(map(len, text.splitlines())) <= 80
    assert "… 29 equal calls" in text


def test_all_calls_are_shown_on_request(lake: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_session("session-one", lake=str(lake), whole=True)
    assert capsys.readouterr().out.count("poll") == 30


def test_json_has_every_call_with_its_lane_and_what_it_repeats(lake: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_session("session-one", lake=str(lake), json=True)
    found = json.loads(capsys.readouterr().out)
    calls = found["calls"]
    assert (found["session"]["session_id"], found["of_calls"], len(calls)) == ("session-one", 38, 38)
    assert [one["nth_call"] for one in calls if one["lane"]] == [5]
    assert {one["nth_call"]: one["retry_of_call"] for one in calls if one["retry_of_call"]} == {3: 2}
    assert (found["session"]["failed"], found["denied_calls"], found["calls_with_findings"]) == (2, 1, 1)


@pytest.mark.parametrize(("name", "hint"), [("session", "say more of the id"), ("sesion-one", "session-one")])
def test_a_name_that_means_no_session_or_several_says_which_there_are(lake: Path, name: str, hint: str) -> None:
    with pytest.raises(UsageError) as raised:
        run_session(name, lake=str(lake))
    assert hint in str(raised.value.hint)
