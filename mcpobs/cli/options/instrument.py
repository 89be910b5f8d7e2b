"""`mcpobs instrument`: its options and its help. The work is in `proxy/stdio.py`, `proxy/http/` and `instrument/`."""

from __future__ import annotations

from typing import Annotated

import typer

from mcpobs.errors import UsageError, require_folder
from mcpobs.folders import use_config_folder


def instrument(
    command: Annotated[
        list[str] | None,
        typer.Argument(metavar="COMMAND", help="The server's command; all after -- is its own.", show_default=False),
    ] = None,
    listen: Annotated[
        list[str] | None,
        typer.Option(metavar="HOST:PORT", help="With --upstream: where to listen.  [default: localhost:8765]"),
    ] = None,
    upstream: Annotated[
        list[str] | None, typer.Option(metavar="URL", help="Stand in front of this HTTP server, instead of a command.")
    ] = None,
    in_process: Annotated[
        bool, typer.Option("--in-process", help="Record inside the server's own Python process, not around it.")
    ] = False,
    lake: Annotated[
        str | None, typer.Option(help="Folder to record to.  [default: MCPOBS_LAKE, else mcpobs in your data folder]")
    ] = None,
    config: Annotated[
        str | None,
        typer.Option(help="Folder of settings and keys.  [default: MCPOBS_CONFIG, else mcpobs in your config folder]"),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="What to call the server.  [default: OTEL_SERVICE_NAME, else from its command]")
    ] = None,
    policy: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE",
            help="Enforce a policy or limits file; may be given more than once.  [default: [policy] of config.toml]",
        ),
    ] = None,
    run: Annotated[
        str | None,
        typer.Option(metavar="LABEL", help="Label of this traffic, for baseline --run.  [default: MCPOBS_RUN]"),
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

    With --upstream it stands in front of a server that is reached by HTTP: streamable HTTP or HTTP+SSE, with and
    without sessions. Clients then use http://HOST:PORT and the server's own path.

    \b
    Examples:
      mcpobs instrument -- npx -y @modelcontextprotocol/server-filesystem ~/notes
      mcpobs instrument --name git -- uvx mcp-server-git
      mcpobs instrument --listen 127.0.0.1:9000 --upstream http://127.0.0.1:8000
      mcpobs instrument --in-process -- python server.py
      mcpobs instrument --policy limits.yaml --policy policy.yaml -- python server.py
      OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318 mcpobs instrument -- python server.py

    \b
    In a client's configuration (`mcpobs init` writes it):
      "command": "mcpobs",
      "args": ["instrument", "--", "npx", "-y", "@modelcontextprotocol/server-filesystem", "/home/me/notes"]

    Calls go to the lake on this machine. With OTEL_EXPORTER_OTLP_* set they are exported by OTLP as well. What a
    call carried (arguments, results) is not recorded, only its size, its shape and a keyed digest. Error texts are
    recorded only if [record] errors in config.toml says so.
    """
    policies = tuple(policy or ())
    if config is not None:
        require_folder(config, "--config")
        use_config_folder(config)
    if upstream or listen:
        for option, values in (("--upstream", upstream), ("--listen", listen)):
            if values and len(values) > 1:
                raise UsageError(
                    f"{option} is given {len(values)} times",
                    "start one `mcpobs instrument` for each server, with a port of its own",
                )
        if not upstream:
            raise UsageError("--listen needs --upstream", "name the server: --upstream http://127.0.0.1:8000")
        if command or in_process:
            raise UsageError(
                "--upstream takes no command", "start the server by itself, and name here where it listens"
            )
        from mcpobs.proxy.http.command import HttpOptions, instrument_http

        address = listen[0] if listen else "localhost"
        instrument_http(HttpOptions(address, upstream[0], lake, name, propagate, policies, run))
        return
    if not command:
        raise UsageError(
            "no server: COMMAND is missing",
            "mcpobs instrument -- COMMAND, or --upstream URL; --help has examples",
        )
    if in_process:
        from mcpobs.instrument.launcher import launch

        launch(command, lake, name, config, policies, run)
    from mcpobs.proxy.stdio import InstrumentOptions
    from mcpobs.proxy.stdio import instrument as wrap

    wrap(InstrumentOptions(tuple(command), lake, name, propagate, config, policies, run))
