"""What a command says if its surroundings fail it: a code, one first line and no traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

FULL = "mcpobs: error: cannot write to stdout: No space left on device"
CLOSED = "mcpobs: error: cannot write to stdout: it is closed"
HELPS = [[name, "--help"] for name in ("instrument", "init", "report", "query", "serve", "baseline", "check")]
HELPS += [["collect", "--help"], ["lake", "--help"], ["doctor", "--help"], ["demo", "--help"], ["--help"]]
COMMANDS = [["doctor"], ["init", "--dry-run", "mcp.json"], ["init", "--dry-run", "--json", "mcp.json"]]

needs_full = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")


def _run(folder: Path, shell: str, *argv: str) -> subprocess.CompletedProcess[str]:
    """Runs a command with a redirection, in a folder with one configuration."""
    (folder / "mcp.json").write_text('{"mcpServers": {"a": {"command": "x"}}}')
    command = ["sh", "-c", f'"$@" {shell}', "sh", sys.executable, "-m", "mcpobs", *argv]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=folder)


@needs_full
@pytest.mark.parametrize("argv", [*HELPS, ["--version"], *COMMANDS], ids=" ".join)
def test_a_full_disk_on_stdout_is_one_error(argv: list[str], tmp_path: Path, home: Path) -> None:
    shown = _run(tmp_path, ">/dev/full", *argv)
    assert shown.returncode == 3
    assert FULL in shown.stderr.splitlines()
    assert "hint: " in shown.stderr.splitlines()[-1]
    assert "Traceback" not in shown.stderr
    assert "Exception ignored" not in shown.stderr


@pytest.mark.parametrize("argv", COMMANDS, ids=" ".join)
def test_a_closed_stdout_is_one_error(argv: list[str], tmp_path: Path, home: Path) -> None:
    shown = _run(tmp_path, ">&-", *argv)
    assert shown.returncode == 3
    assert CLOSED in shown.stderr.splitlines()
    assert "Traceback" not in shown.stderr


@pytest.mark.parametrize("argv", [*HELPS, *COMMANDS], ids=" ".join)
def test_a_reader_that_leaves_is_no_error(argv: list[str], tmp_path: Path, home: Path) -> None:
    shown = _run(tmp_path, "| true", *argv)
    assert "Traceback" not in shown.stderr
    assert "Exception ignored" not in shown.stderr


@pytest.mark.parametrize(
    ("argv", "first"),
    [
        (["demo", "--keep", "mcp.json"], "mcpobs: error: cannot write to "),
        (["demo", "--keep", "mcp.json/below"], "mcpobs: error: cannot write to "),
        (["init", "missing.json"], "mcpobs: error: cannot read "),
        (["init", "."], "mcpobs: error: . is not a file"),
        (["init", "mcp.json/below"], "mcpobs: error: cannot read "),
    ],
    ids=lambda v: " ".join(v) if isinstance(v, list) else "",
)
def test_a_path_of_the_wrong_kind_is_one_error(argv: list[str], first: str, tmp_path: Path, home: Path) -> None:
    shown = _run(tmp_path, "", *argv)
    assert shown.returncode == 2
    assert shown.stderr.splitlines()[0].startswith(first)
    assert "Traceback" not in shown.stderr


def test_a_completion_file_that_cannot_be_written_is_one_error(tmp_path: Path, home: Path) -> None:
    (home / ".bashrc").mkdir()  # as a read-only file is to an ordinary user
    command = ["bash", "-c", '"$@"; exit $?', "bash", sys.executable, "-m", "mcpobs", "--install-completion"]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)  # the parent is the shell
    assert shown.returncode == 2
    assert shown.stderr.splitlines()[0] == f"mcpobs: error: cannot use {home}/.bashrc: Is a directory"
    assert "Traceback" not in shown.stderr


@pytest.mark.parametrize("argv", [["report"], ["report", "--html", "-"], ["query", "select 1"], ["lake", "info"]])
@pytest.mark.parametrize(("to", "first"), [(">/dev/full", FULL), (">&-", CLOSED)])
def test_an_answer_from_the_lake_that_cannot_be_written_is_no_fault_of_the_lake(
    argv: list[str], to: str, first: str, tmp_path: Path, home: Path
) -> None:
    lake = str(tmp_path / "lake")
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "echo", "arguments": {}}}
    front = [sys.executable, "-m", "mcpobs", "instrument", "--lake", lake, "--", sys.executable, "-m"]
    subprocess.run(
        [*front, "mcpobs.setup.echo"],
        input=json.dumps(call) + "\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    shown = _run(tmp_path, to, *argv, "--lake", lake)
    assert shown.returncode == 3
    assert first in shown.stderr.splitlines()
    assert "Traceback" not in shown.stderr
