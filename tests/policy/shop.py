"""A shop's server: `shop.py (stdio|http|sse) [PORT]`. Notes the tools that really ran in the file MCPOBS_TEST_RAN.

With MCPOBS_TEST_POLICY it enforces that file on itself. For every Python SDK that the in-process front knows.
"""

import os
import sys

if os.environ.get("MCPOBS_TEST_POLICY"):
    from mcpobs.instrument.entry import instrument

    instrument(name="shop", policy=[os.environ["MCPOBS_TEST_POLICY"]])

try:
    from fastmcp import FastMCP
except ImportError:
    try:
        from mcp.server.fastmcp import FastMCP
    except ImportError:
        from mcp.server.mcpserver import MCPServer as FastMCP


def new_server(ran):
    server = FastMCP("shop")

    @server.tool()
    async def search(text: str = "") -> str:
        """Searches the shop."""
        ran("search")
        return f"found {text}"

    @server.tool()
    async def lookup(order: str) -> str:
        """Looks an order up."""
        ran("lookup")
        if order == "none":
            raise ValueError("no such order")
        return f"order {order}"

    @server.tool()
    async def pay(order: str, amount: float) -> str:
        """Pays an order back."""
        ran("pay")
        return f"paid {amount} for {order}"

    @server.tool()
    async def customer(name: str) -> dict[str, str]:
        """Finds a customer."""
        ran("customer")
        return {"name": 'Ånn \\ "O\'Hara"', "mail": f"{name}@example.com"}

    @server.tool()
    async def note(text: str) -> str:
        """Reads a note that somebody left."""
        ran("note")
        return text

    @server.tool()
    async def drop(text: str = "") -> str:
        """Drops everything."""
        ran("drop")
        return "dropped"

    return server


def note(name):
    with open(os.environ["MCPOBS_TEST_RAN"], "a") as file:
        file.write(f"{name}\n")


def main():
    server = new_server(note)
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
