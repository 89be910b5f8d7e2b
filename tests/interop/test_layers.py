"""Several layers report the same calls to one `mcpobs collect`: each call counts once, and coverage says who else
did."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.interop.conftest import CACHE_VARIABLE
from tests.interop.environments import Environment, install, wheel
from tests.interop.layered_client import AT_ONCE, IN_TURN
from tests.interop.serving import serving
from tests.ports import free_port

pytestmark = pytest.mark.interop

HERE = Path(__file__).parent
CALLS = {"add": IN_TURN + AT_ONCE, "fail": 1}


@pytest.fixture(scope="module", params=["mcp-2.3", "fastmcp-4"])
def environment(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    chosen = os.environ.get(CACHE_VARIABLE)
    cache = Path(chosen) if chosen else Path(request.config.cache.mkdir("interop"))
    return install(request.param, cache, wheel(tmp_path_factory.mktemp("wheel")))


def _ask(lake: Path, *words: str) -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "mcpobs", *words, "--lake", str(lake), "--format", "json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    rows: list[dict[str, Any]] = json.loads(done.stdout)["rows"]
    return rows


@pytest.mark.parametrize("in_process", [False, True], ids=["native", "in-process"])
@pytest.mark.parametrize("how", ["traced", "propagated", "neither"])
def test_each_call_counts_once_whoever_reports_it(
    environment: Environment, how: str, in_process: bool, tmp_path: Path
) -> None:
    lake, port = tmp_path / "lake", free_port()
    env = {
        **os.environ,
        "OTEL_SERVICE_NAME": "shop",
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}",
        "OTEL_METRICS_EXPORTER": "none",
        "MCPOBS_CONFIG": str(tmp_path / "config"),
        "MCPOBS_LAKE": str(tmp_path / "of the fronts"),
    }
    python = str(environment.python)
    kind = "fastmcp" if environment.name.startswith("fastmcp") else "mcp"
    server = [python, str(HERE / "layered_server.py"), kind]
    if in_process:
        server = [python, "-m", "mcpobs", "instrument", "--in-process", "--", *server]
    options = ["--propagate"] if how == "propagated" else []
    command = [sys.executable, "-m", "mcpobs", "instrument", *options, "--", *server]
    client = [sys.executable, str(HERE / "layered_client.py"), "yes" if how == "traced" else "no", *command]
    collect = [sys.executable, "-m", "mcpobs", "collect", "--lake", str(lake), "--http", str(port), "--no-grpc"]
    with serving(collect, port, tmp_path / "collect.log", env):
        done = subprocess.run(client, env=env, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        inner = "in_process" if in_process else ("fastmcp" if kind == "fastmcp" else "mcp-python-sdk")
        wanted = {"proxy/stdio", inner} | ({"mcp-python-sdk"} if how == "traced" else set())
        for _ in range(100):  # the spans come by several exporters, and are committed every few seconds
            by_layer = (
                {row["layer"]: row for row in _ask(lake, "report", "coverage")} if (lake / "spans").exists() else {}
            )
            if wanted <= by_layer.keys() and by_layer[inner]["spans"] >= sum(CALLS.values()):
                break
            time.sleep(0.2)
    by_layer = {row["layer"]: row for row in _ask(lake, "report", "coverage")}
    calls = sum(CALLS.values())
    assert {layer: row["calls"] for layer, row in by_layer.items()} == dict.fromkeys(wanted, 0) | {"proxy/stdio": calls}
    why = "not_authoritative" if how == "neither" else "same_trace"
    assert by_layer[inner][why] == calls
    if how == "traced":
        assert by_layer["mcp-python-sdk"]["not_server"] == calls
    counted = _ask(lake, "query", "select tool, count(*) as calls from tool_calls group by tool order by tool")
    assert {row["tool"]: row["calls"] for row in counted} == CALLS
    below = _ask(lake, "query", "select count(*) as spans from spans where name = 'SELECT'")
    assert below == [{"spans": CALLS["add"]}]
