"""Calls a server over stdio: `python layered_client.py TRACED COMMAND…`. With TRACED `yes` it has the OpenTelemetry
SDK, one trace for all it does, and exports its own spans too.
"""

from __future__ import annotations

import os
import sys

import anyio
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

IN_TURN, AT_ONCE = 10, 5


async def talk(command: list[str]) -> None:
    parameters = StdioServerParameters(command=command[0], args=command[1:], env=dict(os.environ))
    async with Client(stdio_client(parameters)) as client:
        await client.list_tools()
        for number in range(IN_TURN):
            await client.call_tool("add", {"a": number, "b": 1})
        async with anyio.create_task_group() as group:
            for number in range(AT_ONCE):
                group.start_soon(client.call_tool, "add", {"a": number, "b": 2})
        await client.call_tool("fail", {})


def main() -> None:
    if sys.argv[1] != "yes":
        anyio.run(talk, sys.argv[2:])
        return
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    with trace.get_tracer("agent").start_as_current_span("a turn of the agent"):
        anyio.run(talk, sys.argv[2:])


if __name__ == "__main__":
    main()
