"""Real servers over streamable HTTP and HTTP+SSE, asked by real clients through the front: the lake knows what they
know."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.interop.conftest import PROPERTY
from tests.interop.ledger import MODERN, Over, compare, read_ledger
from tests.interop.packages import Packages
from tests.interop.plan import CONVERSATIONS, PROCESSES, Server, plan_of
from tests.interop.servers import server_named
from tests.interop.serving import fronted, serving
from tests.interop.test_real_servers import CLIENTS, rows_of, run_client
from tests.ports import free_port

pytestmark = pytest.mark.interop

HERE = Path(__file__).parent
COMBINATIONS: list[tuple[str, Over, str, str]] = [
    ("mcp 2", "http", "python mcp 2", "legacy"),
    ("mcp 2", "http", "python mcp 2", MODERN),
    ("mcp 2", "http", "js sdk 1", "legacy"),
    ("mcp 2", "http", "js client 2", MODERN),
    ("mcp 2", "sse", "python mcp 2", "legacy"),
    ("mcp 2", "sse", "python mcp 2", MODERN),
    ("mcp 2", "sse", "js sdk 1", "legacy"),
    ("everything", "http", "python mcp 2", "legacy"),
    ("everything", "http", "js sdk 1", "legacy"),
    ("everything", "http", "js client 2", "auto"),
    ("everything", "sse", "python mcp 2", "legacy"),
    ("everything", "sse", "js sdk 1", "legacy"),
]


@pytest.mark.parametrize(("server", "over", "client", "mode"), COMBINATIONS)
def test_the_lake_has_each_call_once_in_its_order_and_session_with_its_status(
    server: str, over: Over, client: str, mode: str, packages: Packages, tmp_path: Path, record_property
) -> None:
    lake = tmp_path / "lake"
    real = shop() if server == "mcp 2" else server_named("everything", packages, tmp_path)
    with _serving(server, over, packages, tmp_path) as origin, fronted(origin, lake, server) as front:
        url = f"{front.url}/{'sse' if over == 'sse' else 'mcp'}"
        plan = {"transport": over, "url": url, "mode": mode, "connections": plan_of(real)}
        (tmp_path / "plan.json").write_text(json.dumps(plan))
        run_client(CLIENTS[client], packages, tmp_path / "plan.json", tmp_path / "ledger.jsonl")
    wires = read_ledger(tmp_path / "ledger.jsonl")

    rows = [row for row in rows_of(lake) if row["method"] is not None]
    figures = compare(wires, rows, over)
    record_property(PROPERTY, json.dumps({"what": f"{server}, {over}, {client}, {mode}", "figures": vars(figures)}))

    assert not figures.problems, "\n".join(figures.problems)
    conversations = CONVERSATIONS if over == "http" and mode == MODERN else 0  # a protocol's session goes before
    assert figures.sessions == PROCESSES + 1 + conversations
    assert figures.calls == figures.matched >= 200
    assert {wire.version >= MODERN for wire in wires if wire.version} == {mode == MODERN}
    seen = Counter(row["outcome"] for row in rows)
    assert {"ok", "tool_error"} <= seen.keys()
    # At least, for server-everything may ask for the roots before the client's stream is there, and wait in vain; each
    # call was held against what its client knows above.
    assert seen["cancelled"] + seen["timeout"] >= 4
    assert (seen["timeout"] == 0) == (over == "http" and mode == MODERN)

    subprocess.run(
        [sys.executable, "-m", "mcpobs", "lake", "compact", "--lake", str(lake)], check=True, capture_output=True
    )
    assert [row for row in rows_of(lake) if row["method"] is not None] == rows


@contextmanager
def _serving(server: str, over: Over, packages: Packages, folder: Path) -> Iterator[str]:
    port = free_port()
    if server == "mcp 2":
        command = [sys.executable, str(HERE / "http_server.py"), str(port), over]
    else:
        main = packages.module("@modelcontextprotocol/server-everything") / "dist/index.js"
        command = ["node", str(main), "sse" if over == "sse" else "streamableHttp"]
    with serving(command, port, folder / "server.log", {**os.environ, "PORT": str(port)}) as origin:
        yield origin


def shop() -> Server:
    def good(number: int) -> tuple[str, dict[str, Any]]:
        return "search", {"query": f"words {number}", "limit": number % 7}

    def wait(seconds: float, steps: int, **more: Any) -> dict[str, Any]:
        return {"call": "wait", "arguments": {"seconds": seconds, "steps": steps}, **more}

    return Server(
        name="shop",
        command=[],
        good=good,
        failing=("fail", {"why": "it does"}),
        incomplete=("search", {"limit": 1}),
        extras=[
            wait(0.3, 3, progress=True, at_least_ms=250),
            wait(5, 10, progress=True, cancel_ms=350),
            wait(5, 1, timeout_ms=300),
            wait(5, 1, cancel_ms=150),
            {"request": "prompts/list"},
            {"request": "prompts/get", "params": {"name": "greet", "arguments": {"name": "Ann"}}},
            {"request": "prompts/get", "params": {"name": "no-such-prompt"}},
            {"request": "resources/list"},
            {"request": "resources/read", "params": {"uri": "shop://list"}},
            {"request": "resources/read", "params": {"uri": "shop://nowhere"}},
            {
                "together": [
                    wait(0.6, 2, progress=True, at_least_ms=500),
                    wait(0.2, 1, progress=True, at_least_ms=150),
                    # Late enough to be on its way by then: over SSE a client posts one message after the other.
                    wait(30, 1, cancel_ms=2_000),
                    *({"call": "search", "arguments": {"query": f"meanwhile {place}"}} for place in range(6)),
                ]
            },
        ],
    )
