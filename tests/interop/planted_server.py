"""A server with secrets in all that it says, for every Python SDK: `planted_server.py (stdio|http) PORT SECRET`.

SECRET is also in its command line, in its exceptions and in the names of its results' members.
"""

import os
import sys

if os.environ.get("MCPOBS_TEST_INSTRUMENT"):
    from mcpobs.instrument.entry import instrument

    instrument(name="planted", policy=list(filter(None, [os.environ.get("MCPOBS_TEST_POLICY")])))

try:
    from fastmcp import FastMCP
except ImportError:
    try:
        from mcp.server.fastmcp import FastMCP
    except ImportError:
        from mcp.server.mcpserver import MCPServer as FastMCP

SECRET = sys.argv[3]
server = FastMCP("planted")


@server.tool(description=f"Echoes {SECRET}.")
async def echo(text: str, more: dict) -> dict:
    return {SECRET: [text, more], "text": text}


@server.tool()
async def fail(text: str, more: dict) -> str:
    """Fails."""
    raise ValueError(f"{SECRET} {text}")


@server.resource("shop://{name}")
async def read(name: str) -> str:
    """Cannot be read."""
    raise RuntimeError(f"no {name}: {SECRET}")


@server.prompt()
async def greet(name: str) -> str:
    """Cannot be got."""
    raise LookupError(f"{name} {SECRET}")


def main() -> None:
    if sys.argv[1] == "stdio":
        server.run("stdio")
        return
    port = int(sys.argv[2])
    if hasattr(getattr(server, "settings", None), "port"):  # mcp 1.x
        server.settings.port = port
        server.run("streamable-http")
    else:
        server.run("streamable-http", port=port)


if __name__ == "__main__":
    main()
