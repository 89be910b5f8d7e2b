"""A large answer on a terminal is folded; a pipe gets all of it."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest

from mcpobs.cli import report
from mcpobs.cli.report import ReportOptions, run_report
from mcpobs.errors import EXIT_OK
from tests.queries.recorded import call, spool

NOW = 1_790_000_900_000_000_000


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    spool(tmp_path / "lake", [call(n, session_id=f"s{n}") for n in range(60)])
    return tmp_path / "lake"


def _on_a_terminal(options: ReportOptions, monkeypatch: pytest.MonkeyPatch) -> str:
    ours, theirs = os.openpty()
    read: list[bytes] = []

    def drain() -> None:
        while True:
            try:
                part = os.read(ours, 1 << 16)
            except OSError:
                return
            read.append(part)

    reader = threading.Thread(target=drain)
    reader.start()
    with monkeypatch.context() as patched, os.fdopen(theirs, "w") as terminal:
        patched.setattr("sys.stdout", terminal)
        assert run_report(options, NOW) == EXIT_OK
    reader.join(10)
    os.close(ours)
    return b"".join(read).decode()


def test_a_terminal_gets_the_first_rows_and_the_way_to_all(
    lake: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(report, "FOLDED", 2_000)
    shown = json.loads(_on_a_terminal(ReportOptions(name="sessions", json=True, lake=str(lake)), monkeypatch))
    assert (len(shown["rows"]), shown["total"]) == (20, 60)
    assert "mcpobs report sessions --format json > FILE has all" in capsys.readouterr().err
    chosen = _on_a_terminal(ReportOptions(name="sessions", json=True, limit=50, lake=str(lake)), monkeypatch)
    assert len(json.loads(chosen)["rows"]) == 50


def test_a_pipe_gets_all(lake: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(report, "FOLDED", 2_000)
    assert run_report(ReportOptions(name="sessions", json=True, lake=str(lake)), NOW) == EXIT_OK
    assert len(json.loads(capsys.readouterr().out)["rows"]) == 60
