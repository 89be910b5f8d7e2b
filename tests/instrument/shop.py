"""A server on mcp 2.x with a tool of each kind."""

from __future__ import annotations

import anyio
from mcp.server import MCPServer
from opentelemetry import trace


def new_shop() -> MCPServer:
    shop = MCPServer("shop", version="1.0", log_level="CRITICAL")

    @shop.tool()
    async def add(a: int, b: int) -> int:
        with trace.get_tracer("shop").start_as_current_span("adding"):
            return a + b

    @shop.tool()
    async def fail() -> str:
        raise ValueError("a secret of the tool")

    @shop.tool()
    async def slow() -> str:
        await anyio.sleep(60)
        return "done"

    @shop.resource("shop://bad")
    async def bad() -> str:
        raise ValueError("a secret of the resource")

    @shop.prompt()
    async def greet(name: str) -> str:
        return f"hello {name}"

    return shop
