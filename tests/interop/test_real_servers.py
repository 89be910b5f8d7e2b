"""Real servers in Python, Node and Go, asked by real clients through the wrapper: the lake knows what they know."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from mcpobs.lake.reader import open_reading
from tests.interop.conftest import PROPERTY
from tests.interop.ledger import COLUMNS, Row, compare, read_ledger
from tests.interop.packages import Packages
from tests.interop.plan import CONVERSATIONS, PROCESSES, plan_of
from tests.interop.servers import MODERN_SERVERS, NAMES, server_named

pytestmark = pytest.mark.interop

HERE = Path(__file__).parent
MODERN = "2026-07-28"
RUN_S = 600  # generous: a process may be started three times a session, on a busy machine
CLIENTS = {
    "python mcp 2": "python",
    "js sdk 1": "@modelcontextprotocol/sdk",
    "js client 2": "@modelcontextprotocol/client",
}


def _combinations() -> list[tuple[str, str, str]]:
    """Server, client and era. Where a server is legacy only, a modern client has to find that out for itself."""
    found = []
    for server in NAMES:
        newest = MODERN if server in MODERN_SERVERS else "auto"
        found += [(server, "python mcp 2", "legacy"), (server, "python mcp 2", newest)]
        found += [(server, "js sdk 1", "legacy"), (server, "js client 2", newest)]
    return found


@pytest.mark.parametrize(("server", "client", "mode"), _combinations())
def test_the_lake_has_each_call_once_in_its_order_and_session_with_its_status(
    server: str, client: str, mode: str, packages: Packages, tmp_path: Path, home: Path, record_property
) -> None:
    real = server_named(server, packages, tmp_path)
    lake = tmp_path / "lake"
    plan = {
        "command": [
            sys.executable,
            "-m",
            "mcpobs",
            "instrument",
            "--lake",
            str(lake),
            "--name",
            server,
            "--",
            *real.command,
        ],
        "env": {"HOME": str(home), "PATH": os.environ["PATH"]},
        "mode": mode,
        "connections": plan_of(real),
    }
    (tmp_path / "plan.json").write_text(json.dumps(plan))
    run_client(CLIENTS[client], packages, tmp_path / "plan.json", tmp_path / "ledger.jsonl")
    wires = read_ledger(tmp_path / "ledger.jsonl")

    rows = rows_of(lake)
    figures = compare(wires, rows)
    record_property(PROPERTY, json.dumps({"what": f"{server}, {client}, {mode}", "figures": vars(figures)}))

    assert not figures.problems, "\n".join(figures.problems)
    assert figures.sessions == PROCESSES + 1 + CONVERSATIONS
    assert figures.calls == figures.matched >= 200
    assert {wire.version >= MODERN for wire in wires if wire.version} == {mode == MODERN}
    seen = Counter(row["outcome"] for row in rows)
    assert {"ok", "tool_error", "protocol_error"} <= seen.keys()
    if server == "everything":
        assert seen["cancelled"] == 3
        assert seen["timeout"] == 1
        asked = {row["method"] for row in rows if row["kind"] == "client"}
        assert {"sampling/createMessage", "roots/list", "elicitation/create", "notifications/progress"} <= asked

    subprocess.run(
        [sys.executable, "-m", "mcpobs", "lake", "compact", "--lake", str(lake)], check=True, capture_output=True
    )
    assert rows_of(lake) == rows


def run_client(client: str, packages: Packages, plan: Path, ledger: Path) -> None:
    """Runs a client's driver to its end."""
    if client == "python":
        command = [sys.executable, str(HERE / "python_driver.py")]
    else:
        command = ["node", str(HERE / "javascript_driver.mjs"), str(packages.npm), client]
    with (ledger.parent / "stderr").open("w+") as stderr:
        done = subprocess.run([*command, str(plan), str(ledger)], stderr=stderr, timeout=RUN_S)
        stderr.seek(0)
        assert done.returncode == 0, stderr.read()


def rows_of(lake: Path) -> list[Row]:
    """All operations, in the order in which the lake gives those of a session."""
    with open_reading(lake) as reading:
        asked = reading.connection.execute(f"select {COLUMNS} from spans order by start_unix_nano, sequence, span_id")
        names = [column[0] for column in asked.description]
        return [dict(zip(names, row, strict=True)) for row in asked.fetchall()]
