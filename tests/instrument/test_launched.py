"""`mcpobs instrument --in-process` records the server wherever it runs, or says once that nothing is recorded."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.instrument.recorded import calls_of, rows_of

WAIT_S = 60
INITIALIZE = (
    '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},'
    '"clientInfo":{"name":"c","version":"1"}}}\n'
)
SERVER = 'from mcp.server import MCPServer\nMCPServer("shop").run("stdio")\n'
LAUNCHER = "import subprocess, sys; sys.exit(subprocess.run([sys.executable, *sys.argv[1:]]).returncode)\n"
WITHOUT = """
import sys

class Without:
    def find_spec(self, name, path=None, target=None):
        if name == "mcpobs":
            raise ModuleNotFoundError("No module named 'mcpobs'", name="mcpobs")

sys.meta_path.insert(0, Without())
"""  # a sitecustomize that makes an environment one without mcpobs
WORKERS = """
import multiprocessing, sys
import anyio
from mcp import Client
from mcp.server import MCPServer

shop = MCPServer("shop")

@shop.tool()
def add(a: int, b: int) -> int:
    return a + b

async def call() -> None:
    async with Client(shop) as client:
        await client.call_tool("add", {"a": 1, "b": 2})

def work() -> None:
    anyio.run(call)

if __name__ == "__main__":
    workers = [multiprocessing.get_context(sys.argv[1]).Process(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
"""
PYTHON = sys.executable
NOBODY, NO_SDK = "no process here has loaded mcpobs", "has loaded an MCP SDK"


def _ran(lake: Path, folder: Path, words: list[str], given: str = INITIALIZE) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end, and to that of everybody who may write to its stderr."""
    (folder / "server.py").write_text(SERVER)
    (folder / "launcher.py").write_text(LAUNCHER)
    (folder / "isolated.sh").write_text(f'#!/bin/sh\nexec "{PYTHON}" -I server.py\n')
    start = "import sys; from mcpobs.instrument.launcher import launch; launch(sys.argv[2:], sys.argv[1], 'shop')"
    command = [PYTHON, "-c", start, str(lake), *words]
    return subprocess.run(command, input=given, capture_output=True, text=True, cwd=folder, timeout=WAIT_S, check=False)


@pytest.mark.parametrize(
    "words",
    [
        [PYTHON, "server.py"],
        [PYTHON, "launcher.py", "server.py"],
        [PYTHON, "launcher.py", "launcher.py", "server.py"],
        ["sh", "-c", f'"{PYTHON}" server.py; exit $?'],
        [PYTHON, "-c", "import os, sys; os.execv(sys.executable, [sys.executable, 'server.py'])"],
        ["env", "UNRELATED=1", PYTHON, "server.py"],
    ],
    ids=" ".join,
)
def test_a_server_is_recorded_once_behind_any_launcher_and_nothing_is_said(
    home: Path, tmp_path: Path, words: list[str]
) -> None:
    done = _ran(home / "lake", tmp_path, words)
    assert '"serverInfo"' in done.stdout
    assert [row["method"] for row in rows_of(home / "lake")] == ["initialize"]
    assert "mcpobs" not in done.stderr


@pytest.mark.parametrize("method", ["spawn", "forkserver", "fork"])
def test_worker_processes_of_a_server_are_recorded(home: Path, tmp_path: Path, method: str) -> None:
    (tmp_path / "workers.py").write_text(WORKERS)
    done = _ran(home / "lake", tmp_path, [PYTHON, "workers.py", method], "")
    assert done.returncode == 0, done.stderr
    assert [row["tool"] for row in calls_of(home / "lake")] == ["add", "add"]
    assert "mcpobs" not in done.stderr


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["env", "-u", "PYTHONPATH", PYTHON, "server.py"], NOBODY),
        (["env", "-i", PYTHON, "server.py"], NOBODY),
        (["sh", "isolated.sh"], NOBODY),
        ([PYTHON, "launcher.py", "-I", "server.py"], NO_SDK),
        ([PYTHON, "launcher.py", "-E", "server.py"], NO_SDK),
        (["cat"], NOBODY),
        (["true"], NOBODY),
        (["sh", "-c", "kill -9 $$"], NOBODY),
        ([PYTHON, "-c", "print('no MCP')"], NO_SDK),
        ([PYTHON, "-I", "server.py"], "-I keeps mcpobs out of the server"),
    ],
    ids=str,
)
def test_a_start_that_records_nothing_says_so_once(home: Path, tmp_path: Path, words: list[str], why: str) -> None:
    done = _ran(home / "lake", tmp_path, words)
    assert len(re.findall("^mcpobs: warning: (?:nothing|no call) is recorded: ", done.stderr, re.M)) == 1, done.stderr
    assert why in done.stderr
    assert done.stderr.count("\nhint: ") == 1
    assert not (home / "lake").exists()


@pytest.mark.parametrize("words", [["server.py"], ["launcher.py", "server.py"], ["-c", "print('no MCP')"]], ids=str)
def test_a_python_without_mcpobs_is_named_once(home: Path, tmp_path: Path, words: list[str]) -> None:
    (tmp_path / "hidden").mkdir()
    (tmp_path / "hidden" / "sitecustomize.py").write_text(WITHOUT)
    done = _ran(home / "lake", tmp_path, ["env", *_path(tmp_path / "hidden"), PYTHON, *words])
    assert done.stderr.count("mcpobs: warning: nothing is recorded: ") == 1, done.stderr
    assert f"is not installed there ({PYTHON})" in done.stderr


def _path(folder: Path) -> list[str]:
    from mcpobs.instrument.launcher import SITE

    return [f"PYTHONPATH={SITE}:{folder}"]


def test_a_launcher_without_mcpobs_passes_the_recording_on(home: Path, tmp_path: Path) -> None:
    (tmp_path / "hidden").mkdir()
    (tmp_path / "hidden" / "sitecustomize.py").write_text(WITHOUT)
    start = "import os, subprocess, sys; os.environ['PYTHONPATH'] = sys.argv[1]; subprocess.run(sys.argv[2:])"
    (own,) = _path(tmp_path / "hidden")
    words = ["env", own, PYTHON, "-c", start, own.split("=")[1].split(":")[0], PYTHON, "server.py"]
    done = _ran(home / "lake", tmp_path, words)
    assert [row["method"] for row in rows_of(home / "lake")] == ["initialize"]
    assert "mcpobs" not in done.stderr


def test_a_server_without_a_command_is_an_error_and_nothing_more(home: Path, tmp_path: Path) -> None:
    for command, code in (("no-such-command", 127), ("./isolated.sh", 126)):
        script = Path(sys.executable).with_name("mcpobs")
        _ran(home / "lake", tmp_path, ["true"])  # writes the files
        words = [script, "instrument", "--in-process", "--", command]
        done = subprocess.run(words, capture_output=True, text=True, cwd=tmp_path, timeout=WAIT_S, check=False)
        assert (done.returncode, f"cannot start {command}" in done.stderr) == (code, True)
        assert "is recorded" not in done.stderr
