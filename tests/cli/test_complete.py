"""A Tab completes names: of reports, options' values, and what the lake holds. It never fails."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mcpobs.cli import complete
from mcpobs.queries import catalog
from tests.queries.recorded import call, spool


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    lake = tmp_path_factory.mktemp("completed") / "lake"
    rows = [
        call(1, tool="search", session_id="agent-one", service_name="files"),
        call(2, tool="fetch all", session_id="agent-two", service_name="shop"),
        call(3, tool="send;rm", session_id="other", decision="deny", outcome="denied", rules='["refunds"]'),
    ]
    spool(lake, rows)
    return lake


@pytest.mark.parametrize(
    ("of", "begun", "offered"),
    [
        (complete.tools, "", ["search"]),
        (complete.servers, "f", ["files"]),
        (complete.sessions, "agent-", ["agent-one", "agent-two"]),
        (complete.rules, "", ["refunds"]),
        (complete.formats, "j", ["json"]),
        (complete.groups, "", ["tool", "session", "tenant"]),
        (complete.codes, "call", ["call_limit"]),
        (complete.zones, "Europe/Berli", ["Europe/Berlin"]),
        (complete.reports, "fa", ["failures"]),
        (complete.described_names, "tool", ["tool_calls"]),
    ],
)
def test_names_that_begin_so_are_offered_and_none_that_a_shell_would_read(
    of: Callable[[str], list[str]], begun: str, offered: list[str], lake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MCPOBS_LAKE", str(lake))
    assert of(begun) == offered


def test_every_report_is_offered() -> None:
    assert complete.reports("") == [*(query.name for query in catalog.reports()), "all"]


@pytest.mark.parametrize("of", [complete.tools, complete.sessions, complete.servers, complete.rules])
def test_without_a_lake_nothing_is_offered_and_nothing_fails(
    of: Callable[[str], list[str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MCPOBS_LAKE", str(tmp_path / "none"))
    assert of("") == []
    (tmp_path / "none").write_text("no lake")
    assert of("") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_the_sessions_of_the_lake(shell: str, lake: Path) -> None:
    line = "mcpobs report failures --session agent-"
    asked = {
        "bash": {"COMP_WORDS": line, "COMP_CWORD": str(len(shlex.split(line)) - 1)},
        "zsh": {"_TYPER_COMPLETE_ARGS": line},
        "fish": {"_TYPER_COMPLETE_ARGS": line, "_TYPER_COMPLETE_FISH_ACTION": "get-args"},
    }[shell]
    env = {**os.environ, **asked, "_MCPOBS_COMPLETE": f"complete_{shell}", "MCPOBS_LAKE": str(lake)}
    entry = "import sys; sys.argv[0] = 'mcpobs'; from mcpobs.__main__ import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", entry], env=env, capture_output=True, text=True, timeout=60, check=False
    )
    assert "agent-one" in done.stdout
    assert "agent-two" in done.stdout
    assert "other" not in done.stdout
