"""A Python MCP client with the OpenTelemetry SDK: calls `add` of a wrapped server, alone and five times at once.

python traced_client.py MODE SPANS_FILE COMMAND...
"""

from __future__ import annotations

import sys
from pathlib import Path

import anyio
from mcp import Client
from mcp.client.stdio import StdioServerParameters
from opentelemetry import trace

from tests.interop.traced_server import traced_to


async def main(mode: str, command: list[str]) -> None:
    async with Client(StdioServerParameters(command=command[0], args=command[1:]), mode=mode) as client:
        with trace.get_tracer("agent").start_as_current_span("a turn of the agent"):
            await client.call_tool("add", {"a": 1, "b": 2})
            async with anyio.create_task_group() as group:
                for number in range(5):
                    group.start_soon(client.call_tool, "add", {"a": number, "b": number})


if __name__ == "__main__":
    traced_to(Path(sys.argv[2]))
    anyio.run(main, sys.argv[1], sys.argv[3:])
