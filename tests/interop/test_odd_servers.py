"""The scripted plan with a server that is odd in what clients accept, through every front: the lake knows what they
know."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.interop.conftest import PROPERTY
from tests.interop.ledger import MODERN, OUTCOMES, Row, Wire, compare, read_ledger
from tests.interop.packages import Packages
from tests.interop.plan import CONVERSATIONS, PROCESSES, plan_of
from tests.interop.serving import fronted, serving
from tests.interop.test_http_servers import shop
from tests.interop.test_real_servers import CLIENTS, rows_of, run_client
from tests.ports import free_port

pytestmark = pytest.mark.interop
HERE = Path(__file__).parent
SERVER = [sys.executable, str(HERE / "http_server.py")]
ODD = [sys.executable, str(HERE / "oddity.py")]
FRONTS = ("stdio", "http", "in-process stdio", "in-process http")
CLIENT_MODES = [
    ("python mcp 2", "legacy"),
    ("python mcp 2", MODERN),
    ("js sdk 1", "legacy"),
    ("js client 2", MODERN),
]


@pytest.mark.parametrize(("client", "mode"), CLIENT_MODES)
@pytest.mark.parametrize("front", FRONTS)
def test_an_odd_server_has_each_call_once_in_its_session_with_its_status(
    front: str, client: str, mode: str, packages: Packages, tmp_path: Path, home: Path, record_property: Any
) -> None:
    lake = tmp_path / "lake"
    with _target(front, lake, tmp_path) as target:
        plan = {**target, "mode": mode, "connections": plan_of(shop())}
        (tmp_path / "plan.json").write_text(json.dumps(plan))
        run_client(CLIENTS[client], packages, tmp_path / "plan.json", tmp_path / "ledger.jsonl")
    wires = read_ledger(tmp_path / "ledger.jsonl")
    rows = [row for row in rows_of(lake) if row["method"] is not None]
    if front.startswith("in-process"):
        _check_calls(wires, rows, front, mode)
        return
    figures = compare(wires, rows, "http" if front == "http" else "stdio")
    record_property(PROPERTY, json.dumps({"what": f"odd, {front}, {client}, {mode}", "figures": vars(figures)}))
    assert not figures.problems, "\n".join(figures.problems)
    conversations = CONVERSATIONS if front == "stdio" or mode == MODERN else 0
    assert figures.sessions == PROCESSES + 1 + conversations
    assert figures.calls == figures.matched >= 200


@contextmanager
def _target(front: str, lake: Path, folder: Path) -> Iterator[dict[str, Any]]:
    """Where the plan's client connects to."""
    wrapper = [sys.executable, "-m", "mcpobs", "instrument", "--lake", str(lake), "--name", "shop"]
    env = {**os.environ, "PYTHONPATH": ""}
    if front == "stdio":
        yield {"command": [*wrapper, "--", *ODD, *SERVER, "0", "stdio"], "env": env}
        return
    if front == "in-process stdio":
        yield {"command": [*ODD, *wrapper, "--in-process", "--", *SERVER, "0", "stdio"], "env": env}
        return
    port = free_port()
    command = [*SERVER, str(port), "http", "odd"]
    if front == "http":
        with serving(command, port, folder / "server.log") as origin, fronted(origin, lake) as found:
            yield {"transport": "http", "url": f"{found.url}/mcp"}
        return
    with serving([*wrapper, "--in-process", "--", *command], port, folder / "server.log") as origin:
        yield {"transport": "http", "url": f"{origin}/mcp"}


def _check_calls(wires: list[Wire], rows: list[Row], front: str, mode: str) -> None:
    """Inside the server only operations are known: each call of the clients is one, with its status and session."""
    found: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        if row["method"] == "tools/call":
            found.setdefault((row["client_name"], row["request_id"]), []).append(row)
    calls = 0
    sessions: dict[str, set[tuple[str | None, str]]] = {}
    for wire in wires:
        for call in (call for call in wire.calls if call["method"] == "tools/call"):
            calls += 1
            candidates = found.pop((wire.client, str(call["id"])))
            assert len(candidates) == 1, (wire.client, call)
            (row,) = candidates
            assert row["tool"] == call["tool"]
            assert row["outcome"] in _outcomes(call), (row["outcome"], call)
            sessions.setdefault(row["session_id"], set()).add((call["conversation"], wire.client))
    assert found == {}
    assert calls >= 200
    by_conversation = front == "in-process stdio" or mode == MODERN
    for callers in sessions.values():
        assert len({client for _, client in callers}) == 1
        assert not by_conversation or len({conversation for conversation, _ in callers}) == 1
    assert {"ok", "tool_error"} <= {row["outcome"] for row in rows}


def _outcomes(call: dict[str, Any]) -> set[str]:
    if call["status"] in ("timeout", "cancelled"):  # the server learns only that it is cancelled
        return {"cancelled", "timeout"}
    return {OUTCOMES.get(call["status"], "protocol_error")}
