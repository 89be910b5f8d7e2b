"""`mcpobs doctor`: its options and its help. The work is in `cli/doctor.py`."""

from __future__ import annotations

from typing import Annotated

import typer


def doctor(
    lake: Annotated[str | None, typer.Option(help="The lake's folder; MCPOBS_LAKE says the same.")] = None,
    servers: Annotated[
        bool, typer.Option("--servers/--no-servers", help="Start the servers that run through mcpobs.")
    ] = True,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> int:
    """Check the set-up end to end, and say what to do.

    Looks at the installation, the configuration and the lake; at the MCP clients of this machine and which of their
    servers run through mcpobs; starts up to 8 of these as the client would, without most of this shell's variables,
    and looks where their `initialize` is recorded, which adds it there; at the OTLP endpoint that the OTEL_* variables
    name, which gets an empty request; and then makes one call through mcpobs, in a lake of its own, and looks for it
    in the report. Changes nothing else.

    \b
    Examples:
      mcpobs doctor
      mcpobs doctor --lake /srv/mcp/lake
      mcpobs doctor --json | jq '.checks[] | select(.state != "ok")'

    Exit codes: 0 all works, with or without warnings; 1 something failed.
    """
    from mcpobs.cli.doctor import run_doctor

    return run_doctor(lake, json, servers)
