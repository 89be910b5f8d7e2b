"""`init` writes the folders that a client does not pass on, and `doctor` names those that differ."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mcpobs.setup import fronted
from mcpobs.setup.clients import OTHER_JSON, Place
from tests.seeds import some

SCRIPT = str(Path(sys.executable).with_name("mcpobs"))
CALL = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t"}}\n'
SHELLS: dict[str, list[str]] = {
    "nothing": [],
    "data": ["XDG_DATA_HOME"],
    "config": ["XDG_CONFIG_HOME"],
    "both": ["XDG_DATA_HOME", "XDG_CONFIG_HOME"],
    "our own": ["MCPOBS_LAKE", "MCPOBS_CONFIG"],
    "our lake": ["MCPOBS_LAKE", "XDG_CONFIG_HOME"],
}


@pytest.mark.parametrize("names", some(3, reversed(SHELLS.values())))
def test_calls_land_where_the_shell_looks_for_them(tmp_path: Path, names: list[str]) -> None:
    place = tmp_path / "mcp.json"
    place.write_text(json.dumps({"mcpServers": {"s": {"command": "sh", "args": ["-c", "cat > /dev/null"]}}}))
    before = place.read_bytes()
    client = {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    shell = {**client, **{name: str(tmp_path / name) for name in names}}

    subprocess.run([SCRIPT, "init", "--yes", str(place)], env=shell, check=True, capture_output=True, timeout=60)
    entry = json.loads(place.read_text())["mcpServers"]["s"]
    command = [entry["command"], *entry["args"]]
    subprocess.run(command, env=client, input=CALL, check=True, capture_output=True, timeout=60)

    counted = ["query", "--format", "csv", "select count(*) from operations"]
    report = subprocess.run([SCRIPT, *counted], env=shell, capture_output=True, text=True, timeout=60)
    assert (report.stdout.split()[-1], report.stderr) == ("1", "")
    config = shell.get("MCPOBS_CONFIG") or shell.get("XDG_CONFIG_HOME", str(tmp_path / ".config")) + "/mcpobs"
    assert list(Path(config).glob("keys/*.key"))
    assert ("--lake" in command, "--config" in command) == (
        "XDG_DATA_HOME" in names or "MCPOBS_LAKE" in names,
        "XDG_CONFIG_HOME" in names or "MCPOBS_CONFIG" in names,
    )
    subprocess.run([SCRIPT, "init", "--revert", "--yes", str(place)], env=shell, check=True, timeout=60)
    assert place.read_bytes() == before


@pytest.mark.parametrize("names", SHELLS.values(), ids=SHELLS)
def test_doctor_names_folders_that_only_the_shell_uses(tmp_path: Path, names: list[str]) -> None:
    place = tmp_path / "mcp.json"
    place.write_text(json.dumps({"mcpServers": {"s": {"command": SCRIPT, "args": ["instrument", "--", "cat"]}}}))
    shell = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], **{name: str(tmp_path / name) for name in names}}
    warned = [check.line for check in fronted.check([Place(OTHER_JSON, place)], shell) if check.state == "warn"]
    assert len(warned) == len(names)
    assert all(any(str(tmp_path / name) in line for line in warned) for name in names)
