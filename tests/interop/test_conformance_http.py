"""The HTTP front changes no result of the MCP conformance suite, scenario by scenario."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mcpobs.lake.reader import open_reading
from tests.interop.conftest import CONFORMANCE
from tests.interop.packages import Packages
from tests.interop.serving import fronted, serving
from tests.ports import free_port

pytestmark = pytest.mark.interop

HERE = Path(__file__).parent
RUN_S = 600
SUITES = {
    "0.1 2025-11-25": ("conformance-0.1", "2025-11-25"),
    "0.2 2025-11-25": ("conformance-0.2", "2025-11-25"),
    "0.2 2026-07-28": ("conformance-0.2", "2026-07-28"),
}
LEAST = {"0.1 2025-11-25": 30, "0.2 2025-11-25": 30, "0.2 2026-07-28": 38}
"""Scenarios that a suite has to have run, so that a run which was cut short does not look like agreement."""
MAX_FLAKY = 2
STRICTER = {
    "dns-rebinding-protection": {
        "direct": [("localhost-host-rebinding-rejected", "FAILURE"), ("localhost-host-valid-accepted", "SUCCESS")],
        "front": [("localhost-host-rebinding-rejected", "SUCCESS"), ("localhost-host-valid-accepted", "SUCCESS")],
    }
}
"""server-everything answers whatever Host a browser was led to send; the front, which listens on loopback, does not
pass such a request on. It is the one result that it changes, and this is all that it may change."""

Checks = list[tuple[str, str]]  # id and status
Results = dict[str, Checks]


@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize("server", ["mcp 2", "everything"])
def test_every_scenario_has_the_same_result_through_the_front(
    server: str, suite: str, packages: Packages, tmp_path: Path, record_property
) -> None:
    runs = {}
    for way in ("direct", "direct again", "front"):
        folder = tmp_path / way.replace(" ", "-")
        folder.mkdir()
        with _server(server, packages, folder) as origin:
            if way == "front":
                with fronted(origin, folder / "lake", server) as front:
                    runs[way] = _run(suite, f"{front.url}/mcp", packages, folder)
                recorded = _recorded(folder / "lake")
            else:
                runs[way] = _run(suite, f"{origin}/mcp", packages, folder)
    direct, again, through = runs.values()
    flaky = sorted(name for name in direct.keys() | again.keys() if direct.get(name) != again.get(name))
    wrong = {
        name: {"direct": direct.get(name), "front": through.get(name)}
        for name in direct.keys() | through.keys()
        if name not in flaky and direct.get(name) != through.get(name)
    }
    statuses = [status for name, checks in through.items() if name not in flaky for _, status in checks]
    figures = {
        "scenarios": len(direct),
        "checks": len(statuses),
        "success": statuses.count("SUCCESS"),
        "failure": statuses.count("FAILURE"),
        "flaky": len(flaky),
        "different": len(wrong),
    }
    record_property(CONFORMANCE, json.dumps({"what": f"{server}, {suite}", "figures": figures, "flaky": flaky}))

    assert wrong == (STRICTER if server == "everything" and SUITES[suite][1] < "2026" else {})
    assert len(direct) >= LEAST[suite]
    assert len(flaky) <= MAX_FLAKY, flaky
    assert recorded["tools/call"] >= 10


@contextmanager
def _server(server: str, packages: Packages, folder: Path) -> Iterator[str]:
    port = free_port()
    env = dict(os.environ)
    if server == "mcp 2":
        command = [sys.executable, str(HERE / "conformance_server.py"), str(port)]
    else:
        main = packages.module("@modelcontextprotocol/server-everything") / "dist/index.js"
        command, env["PORT"] = ["node", str(main), "streamableHttp"], str(port)
    with serving(command, port, folder / "server.log", env) as origin:
        yield origin


def _run(suite: str, url: str, packages: Packages, folder: Path) -> Results:
    """Runs a suite and reads the status of each check, by scenario. Its own exit code says only that some failed."""
    package, version = SUITES[suite]
    results = folder / "results"
    command = [
        str(packages.npm / "node_modules/.bin/node"),
        str(packages.module(package) / "dist/index.js"),
        *("server", "--url", url, "--suite", "all", "--spec-version", version, "--output-dir", str(results)),
    ]
    with (folder / "conformance.log").open("wb") as log:
        subprocess.run(command, stdout=log, stderr=log, timeout=RUN_S)
    return {_scenario(path): _checks(path) for path in results.glob("*/checks.json")}


def _scenario(path: Path) -> str:
    return re.sub(r"-\d{4}-\d\d-\d\dT[\d-]+Z$", "", path.parent.name.removeprefix("server-"))


def _checks(path: Path) -> Checks:
    return [(check["id"], check["status"]) for check in json.loads(path.read_text())]


def _recorded(lake: Path) -> dict[str, int]:
    with open_reading(lake) as reading:
        asked = "select method, count(*) from spans where method is not null group by method"
        return dict(reading.connection.execute(asked).fetchall())
