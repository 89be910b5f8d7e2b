"""How much memory the committing process needs, whatever a request of 20 MiB looks like, with and without redaction."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from mcpobs.keys import open_folder
from mcpobs.lake import quarantine
from mcpobs.lake.wal import Wal

MOST_MB = 500
START = 1_790_000_000 * 10**9
CALL = {"mcp.method.name": "tools/call", "gen_ai.tool.name": "search"}
READ = {"mcp.method.name": "resources/read", "mcp.resource.uri": "file:///home/me/a.txt", "x": "a" * 4000}
SENT = json.dumps({"method": "tools/call", "params": {"name": "t", "x": "a" * 20_000}, "id": 1})
SHAPES: dict[str, tuple[str, str, int, dict[str, str]]] = {
    "tool calls": ("app", "tools/call search", 12_288, CALL | {"gen_ai.input.messages": "hello " * 160}),
    "resources": ("app", "resources/read", 4500, READ),
    "sentry": (
        "@sentry/node",
        "x",
        4500,
        CALL | {"mcp.transport": "stdio", "sentry.op": "mcp.server", "x": "a" * 4000},
    ),
    "logfire": ("logfire.mcp", "MCP server handle request", 900, {"request": SENT, "response": '{"a":1}'}),
    "callers": ("app", "tools/call search", 4500, CALL | {"client.address": "a" * 4000}),
    "control characters": ("app", "resources/read", 4500, READ | {"x": "\1" * 4000}),
}
COMMIT = """
import sys
from pathlib import Path
from mcpobs.collector.committing import DATA_BYTES
from mcpobs.lake import memory
from mcpobs.lake.received import keep
from mcpobs.lake.writer import commit
memory.limit(DATA_BYTES)
done = commit(Path(sys.argv[1]), kept=keep(Path(sys.argv[1])))
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))  # ru_maxrss is a parent's too
print(done.rows, int(peak.split()[1]) >> 10)
"""


def _request(scope_name: str, name: str, spans: int, attributes: dict[str, str]) -> bytes:
    message = ExportTraceServiceRequest()
    scope = message.resource_spans.add().scope_spans.add()
    scope.scope.name = scope_name
    for number in range(1, spans + 1):
        span = scope.spans.add(
            trace_id=number.to_bytes(16, "big"), span_id=number.to_bytes(8, "big"), name=name, kind=2
        )
        span.start_time_unix_nano = START + number
        for key, text in attributes.items():
            span.attributes.add(key=key).value.string_value = text
    return message.SerializeToString()


@pytest.mark.skipif(sys.platform != "linux", reason="limits memory as Linux does")
@pytest.mark.parametrize("redact", [False, True], ids=["plain", "redacted"])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_request_is_committed_within_the_stated_memory(tmp_path: Path, shape: str, redact: bool) -> None:
    open_folder(tmp_path)
    log = Wal(tmp_path, redact=redact)
    log.append([_request(*SHAPES[shape])])
    log.close()
    segment = next((tmp_path / "wal").iterdir())
    os.utime(segment, ns=(START, START))

    done = subprocess.run([sys.executable, "-c", COMMIT, tmp_path], capture_output=True, text=True, timeout=300)

    rows, peak_mb = map(int, done.stdout.split())
    assert rows == SHAPES[shape][2]
    assert peak_mb < MOST_MB
    assert quarantine.listed(tmp_path) == []
