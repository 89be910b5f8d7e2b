"""A server for every Python SDK that the in-process front knows: `inprocess_server.py (stdio|http|sse) [PORT]`.

It says what it can by what is installed: FastMCP, else the SDK's own class. Instrumented by whoever starts it, or by
itself where MCPOBS_TEST_INSTRUMENT is set.
"""

import os
import sys

import anyio

if os.environ.get("MCPOBS_TEST_INSTRUMENT"):
    import mcpobs

    mcpobs.instrument()

try:
    from fastmcp import Context, FastMCP
except ImportError:
    try:
        from mcp.server.fastmcp import Context, FastMCP
    except ImportError:
        from mcp.server.mcpserver import Context
        from mcp.server.mcpserver import MCPServer as FastMCP

server = FastMCP("shop")


@server.tool()
async def add(a: int, b: int) -> int:
    """Adds."""
    return a + b


@server.tool()
async def fail() -> str:
    """Fails."""
    raise ValueError("a secret of the tool")


@server.tool()
async def slow() -> str:
    """Takes longer than anybody waits."""
    await anyio.sleep(60)
    return "done"


@server.tool()
async def steps(ctx: Context) -> str:
    """Tells of its progress."""
    for step in range(3):
        await ctx.report_progress(step, 3)
    return "done"


@server.resource("shop://good")
async def good() -> str:
    """A resource."""
    return "content"


@server.resource("shop://bad")
async def bad() -> str:
    """A resource that cannot be read."""
    raise ValueError("a secret of the resource")


@server.prompt()
async def greet(name: str) -> str:
    """A prompt."""
    return f"hello {name}"


def main() -> None:
    if sys.argv[1] == "stdio":
        server.run("stdio")
        return
    transport = "sse" if sys.argv[1] == "sse" else "streamable-http"
    port = int(sys.argv[2])
    if hasattr(getattr(server, "settings", None), "port"):  # mcp 1.x
        server.settings.port = port
        server.run(transport)
    else:
        server.run(transport, port=port)


if __name__ == "__main__":
    main()
