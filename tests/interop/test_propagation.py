"""`--propagate` between a real client and a real server that both have the OpenTelemetry SDK: one trace, one chain."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mcpobs.lake.reader import open_reading

pytestmark = pytest.mark.interop

HERE = Path(__file__).parent
CALLS = 6


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
def test_the_servers_span_nests_under_ours_and_ours_under_the_clients(mode: str, tmp_path: Path) -> None:
    clients, ours, servers = _spans(mode, tmp_path, "--propagate")

    assert len(servers) == len(ours) == len(clients) == CALLS
    assert {span["trace_id"] for span in [*clients, *ours, *servers]} == {clients[0]["trace_id"]}
    assert sorted(span["parent_span_id"] for span in ours) == sorted(span["span_id"] for span in clients)
    assert sorted(span["parent_span_id"] for span in servers) == sorted(span["span_id"] for span in ours)


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
def test_without_propagate_the_servers_span_is_a_sibling_of_ours_in_the_clients_trace(
    mode: str, tmp_path: Path
) -> None:
    clients, ours, servers = _spans(mode, tmp_path)

    assert {span["trace_id"] for span in [*clients, *ours, *servers]} == {clients[0]["trace_id"]}
    assert sorted(span["parent_span_id"] for span in ours) == sorted(span["span_id"] for span in clients)
    assert sorted(span["parent_span_id"] for span in servers) == sorted(span["span_id"] for span in clients)


def _spans(mode: str, folder: Path, *options: str) -> tuple[list[dict[str, str]], ...]:
    """The spans of the tool calls: the client's, ours from the lake, and the server's."""
    lake, by_client, by_server = folder / "lake", folder / "client.jsonl", folder / "server.jsonl"
    wrapper = [sys.executable, "-m", "mcpobs", "instrument", "--lake", str(lake), *options, "--"]
    server = [sys.executable, str(HERE / "traced_server.py"), str(by_server)]
    client = [sys.executable, "-m", "tests.interop.traced_client", mode, str(by_client), *wrapper, *server]
    done = subprocess.run(
        client, cwd=HERE.parents[1], env=dict(os.environ), capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    with open_reading(lake) as reading:
        asked = "select trace_id, span_id, parent_span_id from spans where tool = 'add'"
        ours = [
            dict(zip(("trace_id", "span_id", "parent_span_id"), row, strict=True))
            for row in reading.connection.execute(asked).fetchall()
        ]
    return _named(by_client, "MCP send tools/call add"), ours, _named(by_server, "tools/call add")


def _named(path: Path, name: str) -> list[dict[str, str]]:
    return [span for span in map(json.loads, path.read_text().splitlines()) if span["name"] == name]
