"""Trace requests to send to a collector, with ids of their own, and one way to send them."""

from __future__ import annotations

import http.client
import os
import time
from pathlib import Path

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from mcpobs.lake.backlog import WAL, segments
from mcpobs.lake.wal import Wal

SPANS = 40


def request(spans: int = SPANS, start_unix_nano: int | None = None) -> tuple[bytes, set[str]]:
    """New tool calls, as protobuf, and their span ids. They begin one nanosecond after the other, by default now."""
    start = time.time_ns() if start_unix_nano is None else start_unix_nano
    request = ExportTraceServiceRequest()
    scope = request.resource_spans.add().scope_spans.add()
    ids = set()
    for began in range(start, start + spans):
        span_id = os.urandom(8)
        ids.add(span_id.hex())
        span = scope.spans.add(trace_id=os.urandom(16), span_id=span_id, name="tools/call t", kind=2)
        span.start_time_unix_nano, span.end_time_unix_nano = began, began + 1000
        span.attributes.add(key="mcp.method.name").value.string_value = "tools/call"
    return request.SerializeToString(), ids


def logged(lake: Path, *bodies: bytes, received_unix_nano: int | None = None) -> Path:
    """Puts requests into the collector's log, as one segment that was received then, by default now."""
    log = Wal(lake)
    log.append(bodies)
    log.close()
    segment = segments(lake, WAL)[-1].path
    if received_unix_nano is not None:
        os.utime(segment, ns=(received_unix_nano, received_unix_nano))
    return segment


def by_http(port: int, body: bytes) -> bool:
    """Whether the collector accepted it."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("POST", "/v1/traces", body, {"Content-Type": "application/x-protobuf"})
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
