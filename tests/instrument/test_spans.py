"""The server's span where the user has set up OpenTelemetry: one, by the user's provider, and equal to the row."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from mcp import Client
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

import mcpobs
from mcpobs import semconv
from mcpobs.instrument.tracing import _placing
from tests.instrument.recorded import calls_of, rows_of
from tests.instrument.shop import new_shop

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
ERAS = pytest.mark.parametrize("mode", ["legacy", "auto"])


def _server_spans(exported: InMemorySpanExporter, name: str) -> list[ReadableSpan]:
    spans = exported.get_finished_spans()
    return [span for span in spans if span.kind is SpanKind.SERVER and span.name == name]


@ERAS
@pytest.mark.anyio
async def test_a_call_has_one_server_span_which_is_ours(lake: Path, exported: InMemorySpanExporter, mode: str) -> None:
    async with Client(new_shop(), mode=mode) as client:
        await client.call_tool("add", {"a": 1, "b": 2})
    (span,) = _server_spans(exported, "tools/call add")
    (row,) = calls_of(lake)
    assert span.instrumentation_scope.name == semconv.SCOPE_NAME
    assert f"{span.context.trace_id:032x}" == row["trace_id"]
    assert f"{span.context.span_id:016x}" == row["span_id"]
    assert span.start_time == row["start_unix_nano"]
    assert span.end_time == row["start_unix_nano"] + row["duration_ns"]


@ERAS
@pytest.mark.anyio
async def test_the_span_has_what_the_row_has(lake: Path, exported: InMemorySpanExporter, mode: str) -> None:
    async with Client(new_shop(), mode=mode) as client:
        await client.call_tool("fail", {})
    (span,) = _server_spans(exported, "tools/call fail")
    (row,) = calls_of(lake)
    for attribute, column in semconv.COLUMN_OF.items():
        if attribute != semconv.SERVICE_NAME:  # that is the resource's, and the provider's own
            assert span.attributes.get(attribute) == row.get(column), attribute
    assert span.attributes[semconv.GEN_AI_OPERATION] == semconv.EXECUTE_TOOL
    assert span.attributes[semconv.NETWORK_TRANSPORT] == "pipe"
    assert span.status.status_code is StatusCode.ERROR
    assert (span.status.description, span.events) == (None, ())


@pytest.mark.anyio
async def test_a_tool_s_own_span_nests_under_ours(lake: Path, exported: InMemorySpanExporter) -> None:
    async with Client(new_shop()) as client:
        await client.call_tool("add", {"a": 1, "b": 2})
    (server,) = _server_spans(exported, "tools/call add")
    (child,) = [span for span in exported.get_finished_spans() if span.name == "adding"]
    assert child.parent == server.context


@pytest.mark.anyio
async def test_the_parent_is_the_caller_s_span_and_the_span_around_it_a_link(
    lake: Path, exported: InMemorySpanExporter
) -> None:
    async with Client(new_shop()) as client:
        with trace.get_tracer("http").start_as_current_span("POST /mcp", kind=SpanKind.INTERNAL) as around:
            await client.call_tool("add", {"a": 1, "b": 2}, meta={"traceparent": f"00-{TRACE}-{SPAN}-01"})
    (span,) = _server_spans(exported, "tools/call add")
    (row,) = calls_of(lake)
    assert (f"{span.parent.trace_id:032x}", f"{span.parent.span_id:016x}") == (TRACE, SPAN)
    assert [link.context for link in span.links] == [around.get_span_context()]
    assert (row["trace_id"], row["parent_span_id"]) == (TRACE, SPAN)
    assert json.loads(row["links"]) == [
        {
            "trace_id": f"{around.get_span_context().trace_id:032x}",
            "span_id": f"{around.get_span_context().span_id:016x}",
        }
    ]


@pytest.mark.anyio
async def test_without_a_caller_s_span_the_span_around_it_is_the_parent(
    lake: Path, exported: InMemorySpanExporter
) -> None:
    async with Client(new_shop()) as client:
        with trace.get_tracer("http").start_as_current_span("POST /mcp") as around:
            await client.call_tool("add", {"a": 1, "b": 2})
    (span,) = _server_spans(exported, "tools/call add")
    (row,) = calls_of(lake)
    assert span.parent == around.get_span_context()
    assert not span.links
    assert row["parent_span_id"] == f"{around.get_span_context().span_id:016x}"


@pytest.mark.anyio
async def test_a_caller_that_is_not_sampled_is_recorded_and_not_exported(
    lake: Path, exported: InMemorySpanExporter
) -> None:
    async with Client(new_shop()) as client:
        await client.call_tool("add", {"a": 1, "b": 2}, meta={"traceparent": f"00-{TRACE}-{SPAN}-00"})
    assert _server_spans(exported, "tools/call add") == []
    (row,) = calls_of(lake)
    assert (row["trace_id"], row["parent_span_id"], row["trace_flags"]) == (TRACE, SPAN, 0)
    assert row["span_id"] != SPAN


@pytest.mark.anyio
async def test_a_caller_s_fault_leaves_the_status_unset(lake: Path, exported: InMemorySpanExporter) -> None:
    async with Client(Server("bare")) as client:
        with pytest.raises(MCPError):
            await client.call_tool("anything", {})
    (row,) = calls_of(lake)
    (span,) = _server_spans(exported, "tools/call anything")
    assert row["outcome"] == "protocol_error"
    assert span.status.status_code is StatusCode.UNSET


@pytest.mark.anyio
async def test_the_caller_s_baggage_reaches_the_tool(lake: Path, exported: InMemorySpanExporter) -> None:
    from opentelemetry import baggage

    shop, seen = new_shop(), []

    @shop.tool()
    async def look() -> str:
        seen.append(baggage.get_baggage("tenant"))
        return "seen"

    async with Client(shop) as client:
        await client.call_tool("look", {}, meta={"baggage": "tenant=blue", "traceparent": f"00-{TRACE}-{SPAN}-01"})
    assert seen == ["blue"]


@pytest.mark.anyio
async def test_without_a_provider_the_caller_s_context_reaches_the_tool_all_the_same(lake: Path) -> None:
    shop, seen = new_shop(), []

    @shop.tool()
    async def look() -> str:
        seen.append(trace.get_current_span().get_span_context().trace_id)
        return "seen"

    async with Client(shop) as client:
        await client.call_tool("look", {}, meta={"traceparent": f"00-{TRACE}-{SPAN}-01"})
        await client.call_tool("look", {})
    assert seen == [int(TRACE, 16), 0]
    assert calls_of(lake)[0]["parent_span_id"] == SPAN


@pytest.mark.anyio
async def test_undone_the_native_span_is_back(home: Path, exported: InMemorySpanExporter) -> None:
    shop = new_shop()
    mcpobs.instrument(lake=home / "lake")
    mcpobs.uninstrument()
    async with Client(shop) as client:
        await client.call_tool("add", {"a": 1, "b": 2})
    (span,) = _server_spans(exported, "tools/call add")
    assert span.instrumentation_scope.name == "mcp-python-sdk"
    assert rows_of(home / "lake") == []


def test_a_span_is_put_into_a_context_as_the_api_does_it() -> None:
    span, above = trace.NonRecordingSpan(trace.SpanContext(1, 2, False)), Context({"theirs": 1})
    put = _placing(trace, Context)(above, span)
    assert put == trace.set_span_in_context(span, above)
    assert type(put) is Context
    assert trace.get_current_span(put) is span


def test_an_api_that_puts_more_into_a_context_does_it_itself() -> None:
    class Api:
        INVALID_SPAN = trace.INVALID_SPAN

        @staticmethod
        def set_span_in_context(span: trace.Span, context: Context) -> Context:
            return Context({**trace.set_span_in_context(span, context), "more": span})

    span = trace.NonRecordingSpan(trace.SpanContext(1, 2, False))
    assert _placing(Api, Context)(Context(), span)["more"] is span
