"""`mcpobs instrument --in-process`: the server instruments itself, and nothing else does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mcpobs.errors import UsageError
from mcpobs.installed.distribution import NAME
from mcpobs.instrument.launcher import launch
from tests.instrument.recorded import rows_of

WAIT_S = 30
INITIALIZE = (
    '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},'
    '"clientInfo":{"name":"c","version":"1"}}}\n'
)
SERVER = """
import os, subprocess, sys
from mcp.server import MCPServer
started = "import os, sys; print('mcpobs.instrument' in sys.modules, os.environ.get('MCPOBS_IN_PROCESS'))"
print("started:", subprocess.run([sys.executable, "-c", started], stdout=subprocess.PIPE, text=True).stdout.strip(),
      file=sys.stderr)
print("pid:", os.getpid(), file=sys.stderr)
MCPServer("shop").run("stdio")
"""


def _launched(home: Path, code: str = SERVER, path: str | None = None) -> subprocess.Popen[str]:
    words = [sys.executable, "-c", code]
    launcher = "import sys; from mcpobs.instrument.launcher import launch; launch(sys.argv[2:], sys.argv[1], 'shop')"
    command = [sys.executable, "-c", launcher, str(home / "lake"), *words]
    env = dict(os.environ) if path is None else {**os.environ, "PYTHONPATH": path}
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=env, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


def _served(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate(INITIALIZE, timeout=WAIT_S)
    assert process.returncode == 0, err
    assert '"serverInfo"' in out
    return err


def test_the_server_records_itself_and_is_the_same_process(home: Path) -> None:
    process = _launched(home)
    err = _served(process)
    assert f"pid: {process.pid}" in err
    (row,) = rows_of(home / "lake")
    assert (row["method"], row["front"], row["service_name"]) == ("initialize", "in_process", "shop")


def test_what_the_server_starts_is_not_instrumented(home: Path) -> None:
    assert "started: False None" in _served(_launched(home))


def test_a_sitecustomize_of_the_user_s_own_runs(home: Path, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys; print('the user customized it', file=sys.stderr)\n")
    err = _served(_launched(home, path=str(tmp_path)))
    assert err.count("the user customized it") == 3  # the launcher's own start, the server's, and what it starts
    assert len(rows_of(home / "lake")) == 1


def test_a_failing_sitecustomize_fails_as_it_did_without_us(home: Path, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("raise LookupError('broken')\n")
    err = _served(_launched(home, path=str(tmp_path)))
    assert "LookupError: broken" in err
    assert len(rows_of(home / "lake")) == 1


def test_where_mcpobs_is_not_installed_the_server_goes_on(home: Path) -> None:
    lost = "import sys; sys.path[:] = [entry for entry in sys.path if 'mcpobs' not in entry]; print('ran')"
    blocker = home / "blocker"
    blocker.mkdir()
    (blocker / "mcpobs.py").write_text("raise ModuleNotFoundError('No module named mcpobs', name='mcpobs')\n")
    from mcpobs.instrument.launcher import environment

    env = environment({**os.environ, "PYTHONPATH": str(blocker)}, None, None)
    done = subprocess.run([sys.executable, "-c", lost], env=env, capture_output=True, text=True, timeout=WAIT_S)
    assert (done.returncode, done.stdout) == (0, "ran\n")
    assert "mcpobs is not installed there" in done.stderr
    assert f"install the distribution {NAME} for" in done.stderr


@pytest.mark.parametrize("files", [["mcpobs/__init__.py"], ["mcpobs.py"]])
def test_a_package_of_somebody_else_with_our_name_is_named_and_the_server_goes_on(home: Path, files: list[str]) -> None:
    from mcpobs.instrument.launcher import environment

    for name in files:
        (home / "foreign" / name).parent.mkdir(parents=True, exist_ok=True)
        (home / "foreign" / name).write_text("def instrument(): pass\n")
    env = environment({**os.environ, "PYTHONPATH": str(home / "foreign")}, None, None)
    done = subprocess.run(
        [sys.executable, "-c", "print('ran')"], env=env, capture_output=True, text=True, timeout=WAIT_S
    )
    assert (done.returncode, done.stdout) == (0, "ran\n")
    assert "somebody else has the name mcpobs there" in done.stderr


def test_a_command_that_cannot_be_started_says_so() -> None:
    with pytest.raises(UsageError, match="cannot start no-such-command"):
        launch(["no-such-command"], None, None)


@pytest.mark.parametrize("own", [None, "", "import sys; print('its own', file=sys.stderr)\n"])
def test_a_start_adds_nothing_to_stderr(tmp_path: Path, own: str | None) -> None:
    """With and without a `sitecustomize` in the site-packages of the server's environment."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "venv")], check=True)
    (site,) = (tmp_path / "venv").glob("lib/python*/site-packages")
    (site / "borrowed.pth").write_text("\n".join(entry for entry in sys.path if entry.endswith("site-packages")))
    if own is not None:
        (site / "sitecustomize.py").write_text(own)
    words = [str(tmp_path / "venv/bin/python"), "-c", "print('ran')"]
    launcher = "import sys; from mcpobs.instrument.launcher import launch; launch(sys.argv[2:], sys.argv[1], 'shop')"
    command = [sys.executable, "-c", launcher, str(tmp_path / "lake"), *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=WAIT_S)
    assert (done.returncode, done.stdout) == (0, "ran\n")
    assert "sitecustomize" not in done.stderr
    assert done.stderr.count("its own") == (1 if own else 0)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["-I"], "-I"),
        (["-E"], "-E"),
        (["-S"], "-S"),
        (["-uBI"], "-I"),
        (["-W", "ignore", "-E"], "-E"),
        (["-Xdev", "-I"], "-I"),
        (["-u"], None),
        (["-W", "error::ImportWarning"], None),
        (["-XIES"], None),
    ],
)
def test_an_option_that_keeps_us_out_of_the_server_is_named_once(
    tmp_path: Path, options: list[str], named: str | None
) -> None:
    launcher = "import sys; from mcpobs.instrument.launcher import launch; launch(sys.argv[2:], sys.argv[1], 'shop')"
    server = [sys.executable, *options, "-c", "print('ran')", "-E"]
    command = [sys.executable, "-c", launcher, str(tmp_path / "lake"), *server]
    done = subprocess.run(command, capture_output=True, text=True, timeout=WAIT_S)
    assert (done.returncode, done.stdout) == (0, "ran\n")
    assert done.stderr.count("nothing is recorded") == (1 if named else 0)
    assert named is None or f"{named} keeps mcpobs out" in done.stderr
