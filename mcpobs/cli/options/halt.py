"""`mcpobs halt` and `mcpobs resume`: their options and their help. The work is in `cli/halt.py`."""

from __future__ import annotations

from typing import Annotated

import typer

from mcpobs.cli.options.shared import Json, Lake

Session = Annotated[str | None, typer.Option(metavar="ID", help="A session, by its id in the lake.")]
Principal = Annotated[str | None, typer.Option(metavar="NAME", help="A verified caller, with all of its sessions.")]
Tenant = Annotated[str | None, typer.Option(metavar="NAME", help="All callers of a tenant.")]
Tool = Annotated[str | None, typer.Option(metavar="NAME", help="A tool, for everybody.")]
Server = Annotated[str | None, typer.Option(metavar="NAME", help="All calls of a server.")]


def halt(
    session: Session = None,
    principal: Principal = None,
    tenant: Tenant = None,
    tool: Tool = None,
    server: Server = None,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why, for who looks at it later.")] = "",
    by: Annotated[str | None, typer.Option(metavar="NAME", help="Who halts it.  [default: your user name]")] = None,
    duration: Annotated[
        str | None,
        typer.Option("--for", metavar="TIME", help="For so long, e.g. 15m or 1d.  [default: until resumed]"),
    ] = None,
    json: Json = False,
    lake: Lake = None,
) -> None:
    """Stop calls at once, in every server that runs with --policy. Without a name: list what is halted.

    Calls under way get their results withheld. New sessions of a halted session's caller are refused too, for as long
    as --for says; its other open sessions go on. Halts survive restarts. `--by` is a label: nobody verifies it.

    \b
    Examples:
      mcpobs halt
      mcpobs halt --tool refund_payment --reason "paid twice, see ticket 812"
      mcpobs halt --session 6f1c2a… --for 1h
    """
    from mcpobs.cli.halt import HaltOptions, run_halt

    run_halt(HaltOptions(session, principal, tenant, tool, server, reason, by, duration, json, lake))


def resume(
    session: Session = None,
    principal: Principal = None,
    tenant: Tenant = None,
    tool: Tool = None,
    server: Server = None,
    lake: Lake = None,
) -> None:
    """Let go on what `mcpobs halt` or the policy has halted.

    \b
    Examples:
      mcpobs resume --tool refund_payment
      mcpobs resume --session 6f1c2a…
    """
    from mcpobs.cli.halt import HaltOptions, run_resume

    run_resume(HaltOptions(session, principal, tenant, tool, server, lake=lake))
