"""A Python server of mcp 2.x with a tool for each thing a plan does: `http_server.py PORT (http|sse|stdio) [odd]`."""

from __future__ import annotations

import sys
from typing import Any

import anyio
import mcp_types as types
import uvicorn
from mcp.server.mcpserver import Context, MCPServer

server = MCPServer("shop", version="1")


@server.tool()
async def search(query: str, limit: int = 1) -> str:
    """Finds."""
    return f"{query} " * limit


@server.tool()
async def fail(why: str) -> str:
    """Fails."""
    raise ValueError(why)


@server.tool()
async def wait(seconds: float, steps: int, ctx: Context) -> str:
    """Takes its time, and tells of its progress."""
    for step in range(steps):
        await anyio.sleep(seconds / steps)
        await ctx.report_progress(step + 1, steps)
    return "done"


@server.tool()
async def ask(ctx: Context) -> Any:
    """Asks the client's model: by a request of its own, and since 2026-07-28 by a result that says what is wanted."""
    message = types.SamplingMessage(role="user", content=types.TextContent(type="text", text="well?"))
    if (ctx.protocol_version or "") < "2026-07-28":
        await ctx.session.create_message([message], max_tokens=10, related_request_id=ctx.request_id)
    elif not ctx.input_responses:
        asked = types.CreateMessageRequest(params=types.CreateMessageRequestParams(messages=[message], max_tokens=10))
        return types.InputRequiredResult(input_requests={"well": asked})
    return "done"


@server.resource("shop://list")
def listed() -> str:
    """A resource."""
    return "content"


@server.prompt()
def greet(name: str) -> str:
    """A prompt."""
    return f"hello {name}"


if __name__ == "__main__":
    if sys.argv[2] == "stdio":
        server.run("stdio")
        sys.exit()
    app = server.sse_app() if sys.argv[2] == "sse" else server.streamable_http_app()
    if sys.argv[3:] == ["odd"]:
        from oddity import Odd  # beside this file

        app = Odd(app)  # type: ignore[assignment]
    uvicorn.run(app, port=int(sys.argv[1]), log_level="warning")
