"""HTTP requests: random ones, and what `report http` has to say of them, computed plainly."""

from __future__ import annotations

import json
from collections import Counter
from random import Random
from typing import Any

from tests.queries.oracles import Row, grouped, nulls_last, percentile

START = 1_790_000_000_000_000_000
_REJECTIONS = ("bad_request", "unauthorized", "header_mismatch")
_ENDINGS = ("complete", "complete", "complete", "client_disconnect", "server_disconnect")


def http_rows(chance: Random, count: int) -> list[Row]:
    return [_row(chance, number) for number in range(count)]


def _row(chance: Random, number: int) -> Row:
    status = chance.choice([200, 200, 200, 202, 400, 401, 500, None])
    attributes: dict[str, Any] = {
        "http.request.method": chance.choice(["POST", "GET"]),
        "url.path": chance.choice(["/mcp", "/sse"]),
        "http.request.body.size": chance.randrange(3000),
        "http.response.body.size": chance.randrange(3000),
        "mcpobs.http.ended": chance.choice(_ENDINGS) if status else "unreachable",
    }
    if chance.random() < 0.3:
        attributes["mcpobs.http.stream"] = chance.choice(["request", "standing"])
    if status is not None and 400 <= status < 500 and chance.random() < 0.8:
        attributes["mcpobs.http.rejection"] = chance.choice(_REJECTIONS)
    row: Row = {
        "trace_id": f"{chance.getrandbits(128):032x}",
        "span_id": f"{chance.getrandbits(64):016x}",
        "name": attributes["http.request.method"],
        "kind": "server",
        "scope_name": "mcpobs",
        "front": "proxy/http",
        "service_name": chance.choice(["shop", "files", None]),
        "session_id": f"h{chance.randrange(4)}",
        "start_unix_nano": START + number * 1_000_000,
        "duration_ns": chance.randrange(1, 10**9),
        "attributes": json.dumps(attributes, separators=(",", ":")),
    }
    if status is not None:
        row["http_status"] = status
        row["http_first_byte_ns"] = chance.randrange(1, 10**8)
    if chance.random() < 0.2:
        row["http_connect_ns"] = chance.randrange(1, 10**7)
    return {column: value for column, value in row.items() if value is not None}


def http(rows: list[Row]) -> list[Row]:
    found = []
    requests = [
        {**row, **json.loads(row["attributes"])}
        for row in rows
        if "method" not in row
        and row.get("kind") == "server"
        and "http.request.method" in (row.get("attributes") or "")
    ]
    keys = ("service_name", "http.request.method", "url.path", "mcpobs.http.stream")
    for (service, method, path, stream), group in grouped(requests, *keys).items():
        reasons = Counter(row["mcpobs.http.rejection"] for row in group if "mcpobs.http.rejection" in row)
        first = [row["http_first_byte_ns"] / 1e6 for row in group if "http_first_byte_ns" in row]
        connects = [row["http_connect_ns"] / 1e6 for row in group if "http_connect_ns" in row]
        ended = Counter(row["mcpobs.http.ended"] for row in group)
        statuses = [row.get("http_status", 0) for row in group]
        found.append(
            {
                "service_name": service,
                "http_method": method,
                "path": path,
                "stream": stream,
                "requests": len(group),
                "rejected": sum(400 <= status < 500 for status in statuses),
                "top_rejection": min(reasons, key=lambda reason: (-reasons[reason], reason)) if reasons else None,
                "server_errors": sum(status >= 500 for status in statuses) + ended["unreachable"],
                "client_disconnects": ended["client_disconnect"],
                "server_disconnects": ended["server_disconnect"],
                "first_byte_p50_ms": percentile(first, 0.5) if first else None,
                "first_byte_p95_ms": percentile(first, 0.95) if first else None,
                "duration_p95_ms": percentile([row["duration_ns"] / 1e6 for row in group], 0.95),
                "connections": len(connects),
                "connect_p95_ms": percentile(connects, 0.95) if connects else None,
                "request_bytes": sum(row["http.request.body.size"] for row in group),
                "response_bytes": sum(row["http.response.body.size"] for row in group),
            }
        )
    order = ("service_name", "http_method", "path", "stream")
    return sorted(found, key=lambda row: (-row["requests"], *(nulls_last(row[name]) for name in order)))
