"""The command line as a newcomer meets it: every command explains itself, and the README knows every command."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COMMANDS = [
    *("init", "instrument", "report", "query", "baseline", "simulate", "check", "collect", "serve", "demo", "doctor"),
    *("halt", "resume", "approve", "scan"),
    *("lake info", "lake compact", "lake prune", "lake retry"),
    *("policy check", "policy show", "policy schema", "decisions", "explain"),
]


def _mcpobs(*argv: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mcpobs", *argv]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_with_examples(command: str) -> None:
    shown = _mcpobs(*command.split(), "--help")
    assert shown.returncode == 0
    assert "Examples:" in shown.stdout
    assert f"mcpobs {command}" in shown.stdout.partition("Examples:")[2]


def test_the_readme_shows_every_command() -> None:
    readme = (ROOT / "README.md").read_text()
    assert [c for c in COMMANDS if f"mcpobs {c}" not in readme] == []


def test_the_overview_names_every_command() -> None:
    shown = _mcpobs("--help").stdout
    assert {c.split()[0] for c in COMMANDS} <= set(shown.split())


@pytest.mark.parametrize(
    ("argv", "named"),
    [
        (["repotr"], "report"),
        (["report", "latencies"], "latency"),
        (["instrument"], "COMMAND"),
        (["instrument", "--lak", "x", "--", "cat"], "--lake"),
        (["report", "--limit", "many"], "limit"),
        (["lake", "prune", "--older-than", "soon"], "7d"),
        (["report", "--since", "yesterdayish"], "since"),
        (["report", "--format", "xml"], "json"),
        (["check"], "LIMITS"),
        (["check", "nowhere.yaml"], "nowhere.yaml"),
    ],
)
def test_a_wrong_word_gets_one_line_a_hint_and_code_2(argv: list[str], named: str) -> None:
    shown = _mcpobs(*argv)
    error, hint = shown.stderr.splitlines()
    assert error.startswith("mcpobs: error: ")
    assert hint.startswith("hint: ")
    assert named.lower() in (error + hint).lower()
    assert (shown.returncode, shown.stdout) == (2, "")


def test_a_lake_that_is_not_there_gets_a_hint_and_code_3(tmp_path: Path) -> None:
    for command in (["report"], ["report", "--p95"], ["query", "select 1"], ["baseline"], ["lake", "info"]):
        shown = _mcpobs(*command, "--lake", str(tmp_path / "none"))
        assert shown.returncode == 3, command
        assert "mcpobs instrument" in shown.stderr
        assert shown.stdout == ""
