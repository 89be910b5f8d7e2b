"""Rows as the observer writes them, for the tests of the export."""

from __future__ import annotations

import json
import secrets
from typing import Any

from mcpobs import semconv

START = 1_790_000_000_123_456_789
_EXAMPLES = {"text": "text", "json": '{"a":1}', "bigint": 2**53 + 1, "smallint": 7, "boolean": True}


def operation(**columns: Any) -> dict[str, Any]:
    """A finished tools/call without a caller's trace."""
    row: dict[str, Any] = {
        "trace_id": secrets.token_hex(16),
        "span_id": secrets.token_hex(8),
        "trace_flags": 1,
        "name": "tools/call search",
        "kind": "server",
        "service_name": "files",
        "scope_name": semconv.SCOPE_NAME,
        "start_unix_nano": START,
        "duration_ns": 40_000_000,
        "method": "tools/call",
        "tool": "search",
        "request_id": "1",
        "protocol_version": "2025-11-25",
        "session_id": "0123456789abcdef",
        "outcome": "ok",
        "attributes": json.dumps({semconv.NETWORK_TRANSPORT: "pipe", semconv.GEN_AI_OPERATION: semconv.EXECUTE_TOOL}),
        "resource": json.dumps({semconv.SERVICE_INSTANCE_ID: "instance"}),
    }
    row.update(columns)
    return row


def with_every_column() -> dict[str, Any]:
    """A row in which every registered column and attribute has a value of its type."""
    row = {name.column: _EXAMPLES[name.type] for name in semconv.COLUMNS if name.column is not None}
    rest = {
        name.attribute: _EXAMPLES[name.type]
        for name in semconv.NAMES
        if name.column is None and name.attribute != semconv.SERVICE_INSTANCE_ID
    }
    row.update(operation(attributes=json.dumps(rest), parent_span_id="b7ad6b7169203331"))
    return row
