"""`mcpobs instrument`: its options and its help. The work is in `proxy/stdio.py`."""

from __future__ import annotations

from typing import Annotated

import typer


def instrument(
    command: Annotated[
        list[str],
        typer.Argument(metavar="COMMAND", help="The server's command; all after -- is its own.", show_default=False),
    ],
    lake: Annotated[
        str | None, typer.Option(help="Folder to record to.  [default: MCPOBS_LAKE, else mcpobs in your data folder]")
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="What to call the server.  [default: OTEL_SERVICE_NAME, else from its command]")
    ] = None,
    propagate: Annotated[
        bool,
        typer.Option(
            "--propagate", help="Rewrite params._meta.traceparent, so that the server's spans nest under ours."
        ),
    ] = False,
) -> None:
    """Run an MCP server and record every call.

    Put it in front of the server's own command, in the MCP client's configuration or in a shell. Works with any
    stdio server in any language. Bytes pass unchanged in both directions, stderr passes through, and the exit code
    and signals are the server's own.

    \b
    Examples:
      mcpobs instrument -- npx -y @modelcontextprotocol/server-filesystem ~/notes
      mcpobs instrument --name git -- uvx mcp-server-git
      OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318 mcpobs instrument -- python server.py

    \b
    In a client's configuration:
      "command": "mcpobs",
      "args": ["instrument", "--", "npx", "-y", "@modelcontextprotocol/server-filesystem", "/home/me/notes"]

    Calls go to the lake on this machine. With OTEL_EXPORTER_OTLP_* set they are exported by OTLP as well. What a
    call carried (arguments, results, error texts) is not recorded, only its size, its shape and a keyed digest.
    """
    from mcpobs.proxy.stdio import InstrumentOptions
    from mcpobs.proxy.stdio import instrument as run

    run(InstrumentOptions(command=tuple(command), lake=lake, name=name, propagate=propagate))
