"""Plays odd HTTP answers to the clients of five SDK releases, and holds the record of what they made of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.interop.conftest import CACHE_VARIABLE
from tests.interop.environments import PROJECT, install, wheel
from tests.interop.packages import Packages
from tests.interop.serving import serving
from tests.ports import free_port
from tests.proxy.http.answers import ANSWERS, RECORDED

pytestmark = pytest.mark.interop
FOLDER = Path(__file__).parent
MODERN = "2026-07-28"
PYTHON = {"mcp-1.12": "legacy", "mcp-1.30": "legacy", "mcp-2.3": "legacy", "mcp-2.3 modern": MODERN}
JAVASCRIPT = {
    "typescript-1": ("@modelcontextprotocol/sdk", "legacy"),
    "typescript-2": ("@modelcontextprotocol/client", "legacy"),
    "typescript-2 modern": ("@modelcontextprotocol/client", MODERN),
}
PLAY_S = 600
Made = dict[str, str]


@dataclass(frozen=True)
class Client:
    """How to run a client: its command, but for the origin, and the cases in the end."""

    name: str
    command: list[str]
    mode: str

    def play(self, origin: str) -> Made:
        command = [*self.command, origin, self.mode, self.name, ",".join(ANSWERS)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PLAY_S)
        assert done.returncode == 0, done.stderr
        made: Made = json.loads(done.stdout)
        return {case: _in_words(case, meaning) for case, meaning in made.items()}


def _in_words(case: str, meaning: str) -> str:
    """An error that is not the answer's is the client's own: it rejected the answer."""
    if not meaning.startswith("error "):
        return meaning
    _, code, message = meaning.split(" ", 2)
    message = message.removeprefix(f"MCP error {code}: ")
    return f"error {code}" if message and f'"{message}"' in ANSWERS[case].text else "rejected"


@pytest.fixture(scope="module")
def clients(
    packages: Packages, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> list[Client]:
    chosen = os.environ.get(CACHE_VARIABLE)
    cache = Path(chosen) if chosen else Path(request.config.cache.mkdir("interop"))
    ours = wheel(tmp_path_factory.mktemp("wheel"))
    found = []
    for name, mode in PYTHON.items():
        python = install(name.partition(" ")[0], cache, ours).python
        found.append(Client(name, [str(python), str(FOLDER / "answered_http_client.py")], mode))
    node = str(packages.module("node") / "bin" / "node")
    for name, (package, mode) in JAVASCRIPT.items():
        script = [node, str(FOLDER / "answered_http_client.mjs"), str(packages.npm), package]
        found.append(Client(name, script, mode))
    return found


@pytest.fixture
def origin(tmp_path: Path) -> Iterator[str]:
    port = free_port()
    command = [sys.executable, "-m", "tests.interop.answering_http_server", str(port)]
    with serving(command, port, tmp_path / "server.log", {**os.environ, "PYTHONPATH": str(PROJECT)}) as origin:
        yield origin


def _table(clients: list[Client], origin: str) -> dict[str, Made]:
    with ThreadPoolExecutor(2) as pool:
        played = list(pool.map(lambda client: client.play(origin), clients))
    return {case: {client.name: made[case] for client, made in zip(clients, played, strict=True)} for case in ANSWERS}


def test_the_record_of_what_clients_make_of_odd_http_answers_is_up_to_date(clients: list[Client], origin: str) -> None:
    before = RECORDED.read_text() if RECORDED.exists() else ""
    RECORDED.write_text(json.dumps(_table(clients, origin), indent=1) + "\n")
    assert RECORDED.read_text() == before, "clients made something else of some answers: read the difference"
