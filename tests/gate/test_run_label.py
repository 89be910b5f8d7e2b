"""The label of a run is on every row of the front that was given it, by option, by variable or in the process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from mcp import Client

from mcpobs.instrument import entry
from mcpobs.settings import run_label
from tests.gate.judged_server import new_server
from tests.gate.test_fronts import SERVER
from tests.instrument.recorded import rows_of
from tests.ports import free_port
from tests.proxy.http.test_identity import serving

GIVEN = {
    "option": (["--run", "nightly"], {}, "nightly"),
    "variable": ([], {"MCPOBS_RUN": "nightly"}, "nightly"),
    "both": (["--run=nightly"], {"MCPOBS_RUN": "other"}, "nightly"),
    "empty": ([], {"MCPOBS_RUN": ""}, None),
    "neither": ([], {}, None),
}
WAYS = pytest.mark.parametrize("way", GIVEN)


def _command(home: Path, way: str, *options: str) -> tuple[list[str], dict[str, str]]:
    arguments, variables, _ = GIVEN[way]
    command = [sys.executable, "-m", "mcpobs", "instrument", "--lake", str(home / "lake"), *arguments, *options]
    return command, {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), **variables}


def _labels(home: Path) -> set[object]:
    return {row.get("run") for row in rows_of(home / "lake")}


@WAYS
@pytest.mark.parametrize("front", [[], ["--in-process"]], ids=["stdio", "in-process"])
def test_a_stdio_server(home: Path, way: str, front: list[str]):
    command, env = _command(home, way, *front, "--", *SERVER)
    begin = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "c", "version": "1"}}
    frames = [{"id": 1, "method": "initialize", "params": begin}, {"method": "notifications/initialized"}]
    sent = b"".join(json.dumps({"jsonrpc": "2.0", **frame}).encode() + b"\n" for frame in frames)
    subprocess.run(command, input=sent, capture_output=True, timeout=60, env=env, check=True)
    assert _labels(home) == {GIVEN[way][2]}


@WAYS
def test_an_http_server(home: Path, way: str):
    with serving(b"hello") as url:
        listen = f"127.0.0.1:{free_port()}"
        command, env = _command(home, way, "--listen", listen, "--upstream", url.removesuffix("/keys"))
        front = subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True)
        try:
            assert front.stderr is not None
            front.stderr.readline()
            with urllib.request.urlopen(f"http://{listen}/x", timeout=10) as response:
                response.read()
        finally:
            front.send_signal(signal.SIGTERM)
            front.communicate(timeout=20)
    assert _labels(home) == {GIVEN[way][2]}


@pytest.mark.anyio
async def test_the_keyword_in_the_process(home: Path):
    entry.instrument(lake=home / "lake", run="nightly")
    try:
        async with Client(new_server(lambda name: None)) as client:
            await client.list_tools()
    finally:
        entry.uninstrument()
    assert _labels(home) == {"nightly"}


def test_the_option_comes_before_the_variable():
    assert run_label("a", {"MCPOBS_RUN": "b"}) == "a"
    assert run_label(None, {"MCPOBS_RUN": "b"}) == "b"
    assert run_label("", {"MCPOBS_RUN": ""}) is None
