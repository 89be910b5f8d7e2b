"""The whole way: a client talks to a server through `mcpobs instrument`, and the receiver gets what the lake has."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mcpobs import semconv
from mcpobs.segment import scan

from .receiver import Receiver, plain

SERVER = str(Path(__file__).parents[1] / "proxy" / "scripted.py")
TRACE = "0af7651916cd43dd8448eb211c80319c"
CALLER = "b7ad6b7169203331"


def wrapped(lake: Path, *arguments: str) -> subprocess.Popen[bytes]:
    wrapper = [sys.executable, "-m", "mcpobs", "instrument", "--lake", str(lake), *arguments]
    return subprocess.Popen(
        [*wrapper, "--", sys.executable, SERVER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(os.environ),
    )


def frames(*calls: dict[str, Any]) -> bytes:
    return b"".join(json.dumps({"jsonrpc": "2.0", **call}).encode() + b"\n" for call in calls)


def call(id_: int, tool: str, **meta: str) -> dict[str, Any]:
    return {"id": id_, "method": "tools/call", "params": {"name": tool, "arguments": {}, "_meta": meta}}


def rows(lake: Path) -> list[dict[str, Any]]:
    segments = (lake / "spool").glob("*.jsonl")
    return [json.loads(line) for segment in segments for line in scan(segment.read_bytes()).rows]


def test_exported_spans_equal_recorded_rows(tmp_path: Path, receiver: Receiver) -> None:
    sent = frames(
        call(1, "echo", traceparent=f"00-{TRACE}-{CALLER}-01"),
        call(2, "fail"),
        call(3, "error"),
        call(4, "echo", traceparent=f"00-{TRACE}-{CALLER}-00"),
        {"id": 5, "method": "tools/list"},
    )
    process = wrapped(tmp_path, "--name", "scripted")
    stdout, stderr = process.communicate(sent, timeout=60)
    assert [json.loads(line)["id"] for line in stdout.splitlines()] == [1, 2, 3, 4, 5]
    recorded = {row["span_id"]: row for row in rows(tmp_path)}
    sampled = {span_id: row for span_id, row in recorded.items() if row["request_id"] != "4"}
    exported = {span.span_id.hex(): span for span in receiver.spans()}
    assert len(recorded) == 5
    assert set(exported) == set(sampled)
    for span_id, row in sampled.items():
        span = exported[span_id]
        assert span.trace_id.hex() == row["trace_id"]
        assert span.parent_span_id.hex() == row.get("parent_span_id", "")
        assert span.name == row["name"]
        assert span.start_time_unix_nano == row["start_unix_nano"]
        assert span.end_time_unix_nano - span.start_time_unix_nano == row["duration_ns"]
        assert (span.status.code == 2) == ("error_type" in row)
        assert plain(span.attributes)[semconv.OUTCOME] == row["outcome"]
    points = receiver.points("mcp.server.operation.duration")
    assert sum(point.count for point in points) == 5
    assert [point.count for point in receiver.points("mcp.server.session.duration")] == [1]
    (resource, _, _), *_ = receiver.scoped_spans()
    assert plain(resource.attributes)["service.name"] == "scripted"
    assert {"service.instance.id": plain(resource.attributes)["service.instance.id"]} == json.loads(
        next(iter(recorded.values()))["resource"]
    )
    assert (
        stderr.decode().splitlines()[-1] == "mcpobs: OTLP: 4 spans exported, 0 dropped, 1 not sampled; metrics exported"
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_wrapper_that_is_asked_to_end_has_exported_its_calls(
    tmp_path: Path, http_receiver: Receiver, number: signal.Signals
) -> None:
    process = wrapped(tmp_path)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(frames(call(1, "echo")))
    process.stdin.flush()
    assert json.loads(process.stdout.readline())["id"] == 1
    process.send_signal(number)
    process.communicate(timeout=60)
    assert [span.span_id.hex() for span in http_receiver.spans()] == [row["span_id"] for row in rows(tmp_path)]


def test_a_dead_endpoint_changes_nothing_for_client_and_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    process = wrapped(tmp_path)
    stdout, stderr = process.communicate(frames(call(1, "echo"), call(2, "die")), timeout=60)
    assert process.returncode == 3
    assert [json.loads(line)["id"] for line in stdout.splitlines()] == [1]
    assert len(rows(tmp_path)) == 2
    assert stderr.decode().count("cannot export") == 1
