"""A server whose SDK and FastMCP export their own spans by OTLP: `python layered_server.py KIND`, over stdio.

KIND is `fastmcp` or `mcp`; a tool has a span of its own beneath it.
"""

from __future__ import annotations

import sys

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
trace.set_tracer_provider(provider)

if sys.argv[1] == "fastmcp":
    from fastmcp import FastMCP

    server = FastMCP("shop")
else:
    from mcp.server.mcpserver import MCPServer

    server = MCPServer("shop")


@server.tool()
def add(a: int, b: int) -> int:
    with trace.get_tracer("database").start_as_current_span("SELECT"):
        return a + b


@server.tool()
def fail() -> int:
    raise ValueError("no")


if __name__ == "__main__":
    server.run("stdio")
