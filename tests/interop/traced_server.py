"""A Python MCP server with the OpenTelemetry SDK, which writes its own spans to a file: argv[1]."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from mcp.server.mcpserver import MCPServer
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import format_span_id, format_trace_id


class ToFile(SpanExporter):
    """JSON lines; never stdout, which belongs to the protocol."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        with self._path.open("a") as file:
            for span in spans:
                entry = {
                    "name": span.name,
                    "kind": span.kind.name,
                    "trace_id": format_trace_id(span.context.trace_id),
                    "span_id": format_span_id(span.context.span_id),
                    "parent_span_id": format_span_id(span.parent.span_id) if span.parent else None,
                }
                file.write(json.dumps(entry) + "\n")
        return SpanExportResult.SUCCESS


def traced_to(path: Path) -> TracerProvider:
    """Sets the process's TracerProvider; each span is in the file when it has ended."""
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(ToFile(path)))
    trace.set_tracer_provider(provider)
    return provider


if __name__ == "__main__":
    traced_to(Path(sys.argv[1]))
    server = MCPServer("traced")

    @server.tool()
    def add(a: int, b: int) -> int:
        with trace.get_tracer("server").start_as_current_span("adding"):
            return a + b

    server.run("stdio")
