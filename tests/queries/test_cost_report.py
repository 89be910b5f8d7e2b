"""`mcpobs report cost` from the command line: by what, by which prices, and what it says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mcpobs.cli.report import ReportOptions, run_report
from mcpobs.errors import UsageError
from mcpobs.lake import maintain, writer
from mcpobs.queries import rollups
from tests.queries.recorded import START, Row, call, spool

PAGES = {"cost_paths": '{"units":["pages"]}', "cost_units_milli": 3000, "cost_source": "price+units"}


@pytest.fixture(autouse=True)
def _configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCPOBS_CONFIG", str(tmp_path))


def _asked(tmp_path: Path, rows: list[Row], capsys: pytest.CaptureFixture[str], **options: Any) -> str:
    spool(tmp_path / "lake", rows)
    run_report(ReportOptions(**{"name": "cost", "lake": str(tmp_path / "lake"), **options}), START + 10**15)
    return capsys.readouterr().out


ROWS = [
    call(1, cost_microusd=2000, cost_source="price"),
    call(2, cost_microusd=4000, **PAGES, session_id="s2"),
    call(3, tool="fetch", cost_microusd=1_994_000, cost_source="price"),
    call(4, tool="free"),
]


def test_the_sentence_gives_the_sum_and_names_the_largest_spender(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = _asked(tmp_path, ROWS, capsys)
    assert out.splitlines()[0] == "$2.00 for 3 of 4 calls; the most: tool fetch, $1.99 (100 %); 1 without a known cost"
    header = out.splitlines()[2].split()
    assert header[0] == "tool"
    assert "llm" not in header
    assert "unrecorded" not in header


def test_by_session_the_column_is_the_session(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    printed = json.loads(_asked(tmp_path, ROWS, capsys, by="session", format="json"))
    assert [(row["session_id"], row["cost_microusd"]) for row in printed["rows"]] == [("s1", 1_996_000), ("s2", 4000)]
    assert "service_name" not in printed["rows"][0]
    assert printed["answer"].startswith("$2.00 for 3 of 4 calls; the most: session s1, $2.00 (100 %)")


def test_history_by_todays_prices(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "config.toml").write_text(
        '[prices]\nfree = 0.5\n[prices.search]\nper_unit = 0.01\nunits = "pages"\nmax_units = 2\n'
    )
    printed = json.loads(_asked(tmp_path, ROWS, capsys, reprice=True, format="json"))
    costs = {row["tool"]: (row["cost_microusd"], row["unpriced"], row["unrecorded"]) for row in printed["rows"]}
    assert costs == {"free": (500_000, 0, 0), "search": (20_000, 1, 1), "fetch": (None, 1, 0)}
    assert printed["answer"].endswith(
        "; 2 without a known cost; 1 cannot be repriced, because a value that the price needs was not recorded"
    )
    sessions = json.loads(_asked(tmp_path, [], capsys, name="sessions", reprice=True, format="json"))
    assert {row["session_id"]: row["cost_microusd"] for row in sessions["rows"]} == {"s1": 500_000, "s2": 20_000}


def test_without_any_cost_it_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _asked(tmp_path, [call(1)], capsys).startswith(
        "no cost is known of any call: prices stand below [prices] in config.toml\n"
    )


@pytest.mark.parametrize(
    ("options", "message", "hint"),
    [
        ({"by": "sesion"}, "unknown --by 'sesion'", "did you mean session?"),
        ({"name": "loops", "by": "session"}, "--by is for the report cost", "mcpobs report cost --by session"),
        ({"name": "errors", "reprice": True}, "--reprice is for reports with costs", "mcpobs report cost"),
    ],
)
def test_an_option_that_does_not_fit_is_refused(
    options: dict[str, Any], message: str, hint: str, tmp_path: Path
) -> None:
    spool(tmp_path / "lake", ROWS)
    with pytest.raises(UsageError) as caught:
        run_report(ReportOptions(**{"name": "cost", "lake": str(tmp_path / "lake"), **options}), START)
    assert caught.value.message == message
    assert (caught.value.hint or "").startswith(hint)


def test_history_by_todays_prices_is_not_answered_from_what_was_taken_before(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spool(tmp_path / "lake", ROWS)
    writer.commit(tmp_path / "lake", wait=True)
    maintain.compact(tmp_path / "lake", roll_up=rollups.take)
    (tmp_path / "config.toml").write_text("[prices]\nsearch = 0.5\n")
    for name in ("cost", "sessions"):
        recorded = json.loads(_asked(tmp_path, [], capsys, name=name, format="json"))["rows"]
        anew = json.loads(_asked(tmp_path, [], capsys, name=name, reprice=True, format="json"))["rows"]
        assert sum(row["cost_microusd"] or 0 for row in recorded) == 2_000_000
        assert sum(row["cost_microusd"] or 0 for row in anew) == 1_000_000
