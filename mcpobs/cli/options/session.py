"""`mcpobs session`: its options and its help. The work is in `cli/session.py`."""

from __future__ import annotations

from typing import Annotated

import typer

from mcpobs.cli.options.shared import Json, Lake


def session(
    name: Annotated[
        str,
        typer.Argument(metavar="SESSION", help="An id, or its beginning; an Mcp-Session-Id or a conversation id."),
    ],
    whole: Annotated[bool, typer.Option("--all", help="Show every call; equal ones are folded otherwise.")] = False,
    json: Json = False,
    lake: Lake = None,
) -> int:
    """Show one session as a timeline: each call with its offset, arguments' shape, outcome, duration and findings.

    Calls that ran at the same time stand in lanes (│). A call with the arguments of an earlier one that failed is a
    retry. Equal calls in a row are folded.

    \b
    Examples:
      mcpobs session 3f9a2c10
      mcpobs session 3f9a2c10 --all
      mcpobs session agent-42 --json
    """
    from mcpobs.cli.session import run_session

    return run_session(name, whole=whole, json=json, lake=lake)
