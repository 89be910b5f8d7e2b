"""Calls a server of the MCP SDK and writes its spans, as OTLP, to the file argv[1]."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path

import anyio
from mcp import Client
from mcp.server.mcpserver import MCPServer
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

server = MCPServer("counter", log_level="CRITICAL")


@server.tool()
def add(a: int, b: int) -> int:
    with trace.get_tracer("database").start_as_current_span("SELECT", attributes={"db.rows": 2}):
        return a + b


@server.tool()
def fail() -> str:
    raise RuntimeError("no")


async def calls() -> None:
    async with Client(server) as client:
        await client.call_tool("add", {"a": 1, "b": 2})
        await client.call_tool("fail", {})
        with suppress(Exception):  # in one process the server's exception reaches the client as it is
            await client.get_prompt("nothing")


def main() -> None:
    kept = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    trace.set_tracer_provider(provider)
    anyio.run(calls)
    Path(sys.argv[1]).write_bytes(encode_spans(kept.get_finished_spans()).SerializeToString())


if __name__ == "__main__":
    main()
