"""A server that records itself behind the wrapper says so once at its start."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mcpobs.instrument.twice import _is_wrapper
from tests.instrument.test_launched import INITIALIZE, LAUNCHER, WAIT_S

SCRIPT = str(Path(sys.executable).with_name("mcpobs"))
SERVER = 'from mcp.server import MCPServer\nimport mcpobs\nmcpobs.instrument()\nMCPServer("shop").run("stdio")\n'
PLAIN = 'from mcp.server import MCPServer\nMCPServer("shop").run("stdio")\n'


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(
    ("code", "front", "times"),
    [
        (SERVER, ["instrument"], 1),
        (SERVER, ["instrument", "--name", "shop"], 1),
        (PLAIN, ["instrument"], 0),
        (PLAIN, ["instrument", "--in-process"], 0),
        (SERVER, ["instrument", "--in-process"], 0),
    ],
    ids=str,
)
@pytest.mark.parametrize("launcher", [[], ["launcher.py"]], ids=str)
def test_two_layers_are_named_once(
    home: Path, tmp_path: Path, code: str, front: list[str], times: int, launcher: list[str]
) -> None:
    (tmp_path / "server.py").write_text(code)
    (tmp_path / "launcher.py").write_text(LAUNCHER)
    words = [SCRIPT, *front, "--lake", str(home / "lake"), "--", sys.executable, *launcher, "server.py"]
    done = subprocess.run(
        words, input=INITIALIZE, capture_output=True, text=True, cwd=tmp_path, timeout=WAIT_S, check=False
    )
    assert '"serverInfo"' in done.stdout
    assert done.stderr.count("is recorded twice") == times, done.stderr


@pytest.mark.parametrize(
    ("line", "is_wrapper"),
    [
        ("python -c x /usr/bin/mcpobs instrument -- python server.py", True),
        ("mcpobs instrument --in-process -- python server.py", False),
        ("mcpobs instrument --listen :1 --upstream http://x", False),
        ("python server.py mcpobs", False),
        ("mcpobs report", False),
        ("", False),
    ],
)
def test_the_wrapper_is_known_by_its_command_line(line: str, is_wrapper: bool) -> None:
    assert _is_wrapper(line.encode().replace(b" ", b"\0").split(b"\0")) == is_wrapper
