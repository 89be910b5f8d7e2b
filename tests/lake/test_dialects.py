"""What spans of others become: MCP spans operations, all others rows that keep everything."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb
import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind
from opentelemetry.trace.status import Status, StatusCode
from opentelemetry.util.types import AttributeValue

from mcpobs.lake.dialects import DIALECTS, translated
from mcpobs.lake.otlp.decode import decode
from mcpobs.lake.schema import TYPES
from mcpobs.protocol.naming import qualified, session_digest

Row = dict[str, Any]
SDK_SPANS = [sys.executable, str(Path(__file__).with_name("sdk_spans.py"))]


def _rows(request: bytes) -> list[Row]:
    connection = duckdb.connect(":memory:")
    connection.register("raw", decode([request]))
    found = connection.execute(translated("raw"))
    assert [(column[0], str(column[1])) for column in found.description] == list(TYPES.items())
    names = list(TYPES)
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def _row(
    scope: str,
    name: str,
    kind: SpanKind = SpanKind.SERVER,
    status: Status | None = None,
    **attributes: AttributeValue,
) -> Row:
    """As `made`; `__` in a key stands for a dot."""
    return made(scope, name, kind, status, {key.replace("__", "."): value for key, value in attributes.items()})


def made(
    scope: str,
    name: str,
    kind: SpanKind = SpanKind.SERVER,
    status: Status | None = None,
    attributes: Mapping[str, AttributeValue] | None = None,
) -> Row:
    """The one row of a span that the SDK made and encoded."""
    kept = InMemorySpanExporter()
    provider = TracerProvider(resource=Resource({"service.name": "svc", "host.name": "h"}))
    provider.add_span_processor(SimpleSpanProcessor(kept))
    span = provider.get_tracer(scope, "1").start_span(name, kind=kind, attributes=attributes)
    if status is not None:
        span.set_status(status)
    span.end()
    return _rows(_encoded(*kept.get_finished_spans()))[0]


def _encoded(*spans: ReadableSpan) -> bytes:
    return bytes(encode_spans(spans).SerializeToString())


def test_spans_of_the_mcp_sdk_become_operations_and_a_tools_own_spans_stay_spans(tmp_path: Path) -> None:
    file = tmp_path / "request"
    subprocess.run([*SDK_SPANS, str(file)], check=True, timeout=60)
    rows = _rows(file.read_bytes())
    of = {(row["method"], row["tool"] or row["prompt"]): row for row in rows}
    assert of["tools/call", "add"]["outcome"] == "ok"
    assert of["tools/call", "fail"]["outcome"] == "tool_error"
    assert (of["prompts/get", "nothing"]["outcome"], of["prompts/get", "nothing"]["error_type"]) == (
        "server_error",
        "ValueError",
    )
    database = of[None, None]
    assert (database["name"], database["outcome"], database["session_id"]) == ("SELECT", None, None)
    assert json.loads(database["attributes"]) == {"db.rows": 2}
    call = of["tools/call", "add"]
    assert database["parent_span_id"] == call["span_id"]
    assert (call["session_id"], call["session_source"], call["session_confidence"]) == (
        call["trace_id"],
        "trace",
        "low",
    )
    assert call["request_id"] is not None


def test_the_clients_span_of_the_mcp_sdk_has_its_target_in_its_name() -> None:
    row = _row("mcp-python-sdk", "MCP send tools/call search", SpanKind.CLIENT, mcp__method__name="tools/call")
    assert (row["kind"], row["tool"]) == ("client", "search")
    row = _row("mcp-python-sdk", "MCP send prompts/get hello", SpanKind.CLIENT, mcp__method__name="prompts/get")
    assert (row["tool"], row["prompt"]) == (None, "hello")


@pytest.mark.parametrize(
    ("scope", "attributes", "outcome"),
    [
        ("app", {}, "ok"),
        ("app", {"error__type": "tool_error"}, "tool_error"),
        ("app", {"rpc__response__status_code": "-32602"}, "protocol_error"),
        ("app", {"error__type": "-32602", "rpc__response__status_code": "-32602"}, "protocol_error"),
        ("app", {"error__type": "-32603", "rpc__response__status_code": "-32603"}, "server_error"),
        ("app", {"rpc__response__status_code": -32601}, "protocol_error"),
        ("app", {"error__type": "-32001"}, "timeout"),
        ("app", {"error__type": "TimeoutError"}, "timeout"),
        ("app", {"error__type": "CancelledError"}, "cancelled"),
        ("app", {"error__type": "ValueError"}, "server_error"),
        ("fastmcp", {"error__type": "tool_error"}, "tool_error"),
        ("fastmcp", {"error__type": "NotFoundError"}, "protocol_error"),
        ("fastmcp", {"error__type": "ValidationError"}, "tool_error"),
        ("fastmcp", {"error__type": "RuntimeError"}, "server_error"),
    ],
)
def test_the_outcome_follows_from_the_error(scope: str, attributes: dict[str, AttributeValue], outcome: str) -> None:
    row = _row(scope, "tools/call t", mcp__method__name="tools/call", gen_ai__tool__name="t", **attributes)
    assert (row["tool"], row["outcome"]) == ("t", outcome)


def test_an_error_that_only_the_status_shows_is_an_error() -> None:
    row = _row("app", "ping", status=Status(StatusCode.ERROR, "broken"), mcp__method__name="ping")
    assert (row["outcome"], row["status"], row["error_message"]) == ("server_error", "error", "broken")


@pytest.mark.parametrize(
    ("version", "session", "source"),
    [("2025-11-25", session_digest("abc"), "protocol_session"), ("2026-07-28", None, "trace")],
)
def test_a_session_id_counts_only_if_the_protocol_has_one(version: str, session: str | None, source: str) -> None:
    row = _row(
        "fastmcp",
        "tools/call t",
        mcp__method__name="tools/call",
        mcp__session__id="abc",
        mcp__protocol__version=version,
        enduser__id="ann",
        fastmcp__server__name="shop",
    )
    assert (row["session_id"], row["session_source"]) == (qualified(session or row["trace_id"], "ann", None), source)
    assert (row["enforcement_key"], row["enforcement_source"]) == ("principal:ann", "principal")
    assert (row["principal"], row["server_name"]) == ("ann", "shop")
    assert json.loads(row["attributes"])["mcp.session.id"] == "abc"


def test_a_conversation_is_a_session_and_every_candidate_is_kept() -> None:
    odd = 'quote " and \\n newline'
    row = _row("app", "tools/call t", mcp__method__name="tools/call", gen_ai__conversation__id=odd)
    assert (row["session_id"], row["session_source"], row["session_confidence"]) == (odd, "conversation", "medium")
    assert json.loads(row["session_candidates"]) == {"conversation": odd, "trace": row["trace_id"]}


def test_a_call_that_fastmcp_hands_on_to_a_mounted_server_is_no_second_operation() -> None:
    row = _row("fastmcp", "delegate t", SpanKind.INTERNAL, mcp__method__name="tools/call")
    assert (row["method"], row["kind"], row["outcome"], row["session_id"]) == ("tools/call", "internal", None, None)


def test_of_a_resource_the_scheme_is_a_column_and_the_rest_stays_where_it_was() -> None:
    uri = 'file:///etc/"secret"'
    row = _row("app", "resources/read", mcp__method__name="resources/read", mcp__resource__uri=uri)
    assert (row["resource_uri"], json.loads(row["attributes"])) == ("file", {"mcp.resource.uri": uri})
    row = _row("app", "resources/read", mcp__method__name="resources/read", mcp__resource__uri=uri, other=1)
    assert (row["resource_uri"], json.loads(row["attributes"])) == ("file", {"mcp.resource.uri": uri, "other": 1})
    row = _row("app", "resources/read", mcp__method__name="resources/read", mcp__resource__uri="file")
    assert (row["resource_uri"], row["attributes"]) == ("file", None)


def test_the_transport_follows_from_the_network() -> None:
    for network, transport in (("pipe", "stdio"), ("tcp", "http"), ("quic", "http"), ("unix", None)):
        row = _row("app", "ping", mcp__method__name="ping", network__transport=network)
        assert row["transport"] == transport


def test_each_dialect_names_its_source_and_only_columns_of_the_lake() -> None:
    for dialect in DIALECTS:
        assert dialect.source
        assert set(dialect.columns) <= set(TYPES)
