"""No command runs code of the folder in which it is started: it may be a download, a repository, anybody's."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mcpobs import interpreter
from tests.lake.rows import row, spooled
from tests.seeds import some

SCRIPT = str(Path(sys.executable).with_name("mcpobs"))
NAMES = ("orjson", "typer", "click", "json", "yaml", "duckdb", "deltalake", "mcp", "anyio", "logging", "subprocess")
PACKAGES = ("mcpobs", "opentelemetry", "rich", "uvicorn", "grpc", "aiohttp", "sqlglot", "pydantic")
CALL = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t"}}\n'

COMMANDS = {
    "--version": ["--version"],
    "--help": ["--help"],
    "instrument": ["instrument", "--", "cat"],
    "instrument of an HTTP server": ["instrument", "--listen", "127.0.0.1:0", "--upstream", "http://127.0.0.1:9"],
    "init": ["init", "--dry-run"],
    "report": ["report"],
    "report --p95": ["report", "--p95"],
    "report all --html": ["report", "all", "--html", "page.html"],
    "query": ["query", "select count(*) from spans"],
    "serve": ["serve"],
    "baseline": ["baseline", "--output", "limits.yaml", "--force"],
    "check": ["check", "limits.yaml"],
    "lake info": ["lake", "info"],
    "lake compact": ["lake", "compact"],
    "collect": ["collect", "--http", "127.0.0.1:0", "--no-grpc"],
    "doctor": ["doctor"],
    "demo": ["demo", "--keep", "demo"],
}
STAY = ("collect", "instrument of an HTTP server")
"""Commands that stay until they are interrupted; the end of stdin ends the others."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder full of modules that leave a mark when they are imported; and a lake elsewhere."""
    here = tmp_path / "here"
    here.mkdir()
    mark = f"open({str(tmp_path / 'mark')!r}, 'a').write(__name__ + chr(10))\n"
    for name in NAMES:
        (here / f"{name}.py").write_text(mark)
    for name in PACKAGES:
        (here / name).mkdir()
        (here / name / "__init__.py").write_text(mark)
    spooled(tmp_path / "lake", [row(number) for number in range(3)])
    return here


def run(program: list[str], command: str, folder: Path, **variables: str) -> str:
    """Runs a command in the folder; returns what it printed."""
    lake = folder.parent / "lake"
    env = {**os.environ, "MCPOBS_LAKE": str(lake), "HOME": str(folder.parent), "TMPDIR": str(folder.parent)} | variables
    process = subprocess.Popen(
        [*program, *COMMANDS[command]],
        cwd=folder,
        env=env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert process.stdout is not None
    said = b""
    if command in STAY:
        said = process.stdout.readline()
        process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(CALL, timeout=120)
    return (said + rest).decode(errors="replace")


def marks(folder: Path) -> list[str]:
    mark = folder.parent / "mark"
    return mark.read_text().split() if mark.exists() else []


@pytest.mark.parametrize("command", [name for name in COMMANDS if name not in ("doctor", "demo")])
def test_the_script_imports_nothing_from_the_current_folder(command: str, folder: Path) -> None:
    said = run([SCRIPT], command, folder)
    assert marks(folder) == []
    assert "Traceback" not in said


@pytest.mark.parametrize("command", some(1, ["doctor", "demo"]))
def test_what_a_command_starts_imports_nothing_from_the_current_folder(command: str, folder: Path) -> None:
    said = run([SCRIPT], command, folder)
    assert marks(folder) == []
    assert "went through mcpobs" in said or "calls recorded" in said


@pytest.mark.parametrize("path", some(2, [None, ":", "", ".", "here:"]))
@pytest.mark.parametrize("command", ["instrument", "report", "lake info", "init", "doctor", "collect"])
def test_neither_python_m_nor_a_relative_python_path_changes_that(command: str, path: str | None, folder: Path) -> None:
    """A package `./mcpobs`, or a module that Python itself loads, is found before our first line."""
    for name in ("mcpobs", "opentelemetry"):
        (folder / name / "__init__.py").unlink()
        (folder / name).rmdir()
    given = {} if path is None else {"PYTHONPATH": path}
    if command == "doctor" and path not in (None, ""):
        pytest.skip("takes long")
    said = run([sys.executable, "-m", "mcpobs"], command, folder, **given)
    assert marks(folder) == []
    assert "Traceback" not in said


@pytest.mark.parametrize("module", ["mcpobs.lake.commit", "mcpobs.collector.committing", "mcpobs.prices.models"])
def test_modules_that_we_start_are_not_looked_for_in_the_current_folder(module: str, folder: Path) -> None:
    command = interpreter.command(module, str(folder.parent / "lake"))
    env = interpreter.environment({**os.environ, "PYTHONPATH": ":./x:"})
    done = subprocess.run(command, cwd=folder, env=env, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert marks(folder) == []


@pytest.mark.parametrize(
    ("given", "kept"),
    [(None, None), ("", None), (":", None), (".", None), ("a:b", None), ("/x", "/x"), (":/x::/y:.", "/x:/y")],
)
def test_only_absolute_elements_of_python_path_are_passed_on_to_our_own(given: str | None, kept: str | None) -> None:
    env = {"A": "1"} if given is None else {"A": "1", "PYTHONPATH": given}
    assert interpreter.environment(env) == ({"A": "1"} if kept is None else {"A": "1", "PYTHONPATH": kept})


def test_a_server_keeps_its_environment_and_the_rules_of_its_python(folder: Path) -> None:
    """What it imports from its own folder is its own affair."""
    (folder / "server.py").write_text(
        "import os, sys\nprint(os.environ['PYTHONPATH'], sys.flags.safe_path, 'PYTHONSAFEPATH' in os.environ,"
        " sys.path[0] == os.getcwd(), flush=True)\n"
    )
    argv = [SCRIPT, "instrument", "--", sys.executable, "-m", "server"]
    env = {**os.environ, "PYTHONPATH": "x::y", "MCPOBS_LAKE": str(folder.parent / "lake"), "HOME": str(folder.parent)}
    for name in NAMES:
        (folder / f"{name}.py").unlink()
    (folder / "mcpobs" / "__init__.py").unlink()
    (folder / "mcpobs").rmdir()
    done = subprocess.run(
        argv, cwd=folder, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True
    )
    assert done.stdout == "x::y False False True\n"


def test_a_current_folder_that_is_gone_is_no_fault(tmp_path: Path) -> None:
    code = "import os, sys; os.mkdir('x'); os.chdir('x'); os.rmdir('../x'); os.execv(sys.argv[1], sys.argv[1:])"
    env = {**os.environ, "HOME": str(tmp_path), "MCPOBS_LAKE": str(tmp_path / "lake")}
    command = [sys.executable, "-c", code, SCRIPT, "instrument", "--", "/bin/cat"]
    done = subprocess.run(command, cwd=tmp_path, env=env, input=CALL, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (0, CALL), done.stderr
