"""Plays odd answers to the clients of five SDK releases, and holds the record of what they made of them up to date."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.interop.conftest import CACHE_VARIABLE
from tests.interop.environments import install, wheel
from tests.interop.packages import Packages
from tests.protocol.answer_lines import FALLBACK, LINES, RECORDED

pytestmark = pytest.mark.interop
FOLDER = Path(__file__).parent
PYTHON = ("mcp-1.12", "mcp-1.30", "mcp-2.3")
JAVASCRIPT = {"typescript-1": "@modelcontextprotocol/sdk", "typescript-2": "@modelcontextprotocol/client"}
PLAY_S = 300


def test_the_record_of_what_clients_make_of_odd_answers_is_up_to_date(
    packages: Packages, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    chosen = os.environ.get(CACHE_VARIABLE)
    cache = Path(chosen) if chosen else Path(request.config.cache.mkdir("interop"))
    ours = wheel(tmp_path)
    script = str(FOLDER / "answered_client.py")
    clients = {name: [str(install(name, cache, ours).python), script] for name in PYTHON}
    for name, package in JAVASCRIPT.items():
        clients[name] = ["node", str(FOLDER / "answered_client.mjs"), str(packages.npm), package]
    lines = tmp_path / "lines.json"
    lines.write_text(json.dumps(LINES))
    server = [sys.executable, str(FOLDER / "answering_server.py"), str(lines), FALLBACK]

    found = {name: _played([*command, FALLBACK, ",".join(LINES), *server]) for name, command in clients.items()}

    before = RECORDED.read_text() if RECORDED.exists() else ""
    table = {case: {name: made[case] for name, made in found.items()} for case in LINES}
    RECORDED.write_text(json.dumps(table, indent=1) + "\n")
    assert RECORDED.read_text() == before, "clients made something else of some lines: read the difference"


def _played(command: list[str]) -> dict[str, str]:
    done = subprocess.run(command, capture_output=True, text=True, timeout=PLAY_S)
    assert done.returncode == 0, done.stderr
    made: dict[str, str] = json.loads(done.stdout)
    return made
