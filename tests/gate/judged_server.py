"""A server with a tool for each thing that the test judge does: `judged_server.py (stdio|http|sse) [PORT]`.

It notes the tools that really ran in the file MCPOBS_TEST_RAN. With MCPOBS_TEST_JUDGE (allow or deny) it judges its
own calls. For every Python SDK that the in-process front knows.
"""

import os
import sys

if os.environ.get("MCPOBS_TEST_JUDGE"):
    from judges import ByName  # beside this script

    from mcpobs.instrument.switch import instrument

    instrument(name="judged", judge=ByName("allow" if os.environ["MCPOBS_TEST_JUDGE"] == "allow" else "deny"))

try:
    from fastmcp import FastMCP
except ImportError:
    try:
        from mcp.server.fastmcp import FastMCP
    except ImportError:
        from mcp.server.mcpserver import MCPServer as FastMCP

TOOLS = (
    "echo",
    "deny",
    "answer",
    "rewrite",
    "throw",
    "hang",
    "later",
    "later_deny",
    "mask",
    "block",
    "end_throw",
    "end_hang",
    "end_later",
)


def new_server(ran):
    server = FastMCP("judged")

    def add(name):
        async def tool(text: str = "") -> str:
            ran(name)
            return f"{name} {text}"

        server.tool(name=name)(tool)

    for name in TOOLS:
        add(name)
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
