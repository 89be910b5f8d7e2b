"""The environment belongs to the server: it changes nothing of mcpobs, and reaches the server byte for byte."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = str(Path(sys.executable).with_name("mcpobs"))
SERVER = """
import os, sys
with open("/proc/self/environ", "rb") as own:
    sys.stderr.buffer.write(own.read())
for line in sys.stdin.buffer:
    os.write(1, b'{"jsonrpc":"2.0","id":1,"result":{"content":[]}}\\n')
sys.exit(7)
"""
CALL = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t"}}\n'
ELSEWHERE = b"/tmp/.mount_App/usr"
VARIABLES: dict[bytes, list[bytes]] = {
    b"PYTHONHOME": [ELSEWHERE, b""],
    b"PYTHONPATH": [ELSEWHERE, b"hostile", b":", b""],
    b"PYTHONPLATLIBDIR": [b"lib64x"],
    b"PYTHONEXECUTABLE": [b"/opt/x/python"],
    b"__PYVENV_LAUNCHER__": [b"/opt/x/python"],
    b"PYTHONSAFEPATH": [b"1"],
    b"PYTHONOPTIMIZE": [b"2", b"x"],
    b"PYTHONWARNINGS": [b"error"],
    b"PYTHONDEVMODE": [b"1"],
    b"PYTHONMALLOC": [b"debug", b"nonsense"],
    b"PYTHONINSPECT": [b"1"],
    b"PYTHONIOENCODING": [b"ascii", b"nonsense"],
    b"PYTHONUTF8": [b"0", b"nonsense"],
    b"PYTHONCOERCECLOCALE": [b"warn"],
    b"PYTHONHASHSEED": [b"0", b"nonsense"],
    b"PYTHONVERBOSE": [b"1"],
    b"PYTHONPROFILEIMPORTTIME": [b"1"],
    b"PYTHONTRACEMALLOC": [b"5", b"nonsense"],
    b"PYTHONSTARTUP": [b"hostile/queue.py"],
    b"PYTHONUSERBASE": [ELSEWHERE],
    b"PYTHONNOUSERSITE": [b"1"],
    b"PYTHONUNBUFFERED": [b"1"],
    b"PYTHONDONTWRITEBYTECODE": [b"1"],
    b"PYTHONPYCACHEPREFIX": [b"/proc/none"],
    b"PYTHONBREAKPOINT": [b"none.none"],
    b"PYTHONFAULTHANDLER": [b"1"],
    b"LD_LIBRARY_PATH": [b"/nonexistent", b"hostile"],
    b"LD_AUDIT": [b""],
    b"LD_PRELOAD": [b""],
    b"LC_ALL": [b"C", b"xx_XX.nonsense"],
    b"PWD": [b"/elsewhere"],
    b"a.name-of.no shell": [b"1"],
    b"BYTES": [b"\xff\n'\"$(exit)`exit`", b"x" * 90_000],
}
CASES = [(name, value) for name, values in VARIABLES.items() for value in values]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with modules of the server that have names of the standard library and of our packages."""
    (tmp_path / "hostile").mkdir()
    for name in ("queue", "orjson", "types", "signal", "mcpobs", "sitecustomize"):
        (tmp_path / "hostile" / f"{name}.py").write_text("raise SystemExit('imported')\n")
    return tmp_path


def _answered(command: list[str], folder: Path, env: dict[bytes, bytes]) -> tuple[int, bytes, bytes]:
    done = subprocess.run(command, cwd=folder, env=env, input=CALL, capture_output=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(("name", "value"), CASES, ids=lambda part: part[:24].decode(errors="replace"))
@pytest.mark.skipif(sys.platform != "linux", reason="the server reads its environment in /proc")
def test_a_variable_changes_neither_the_recording_nor_the_server(folder: Path, name: bytes, value: bytes) -> None:
    lake = folder / "lake"
    env = {b"HOME": os.fsencode(folder), b"PATH": os.environb[b"PATH"], b"MCPOBS_LAKE": os.fsencode(lake), name: value}
    server = [sys.executable, "-I", "-S", "-c", SERVER] if name != b"PYTHONEXECUTABLE" else ["sh", "-c", SH]

    direct = _answered(server, folder, env)
    through = _answered([SCRIPT, "instrument", "--", *server], folder, env)

    assert direct[0] == 7
    assert through == direct
    rows = b"".join(path.read_bytes() for path in lake.rglob("*.jsonl"))
    assert rows.count(b'"tools/call"') == 1


SH = """cat /proc/$$/environ >&2; read -r _; printf '{"jsonrpc":"2.0","id":1,"result":{"content":[]}}\\n'; exit 7"""
