"""`mcpobs check`: its options and its help. The work is in `cli/check.py`."""

from __future__ import annotations

from typing import Annotated

import typer

from mcpobs.cli.options.shared import Format, Json, Lake, Raw, Rows


def check(
    limits: Annotated[str, typer.Argument(help="The limits file.", metavar="LIMITS", show_default=False)],
    since: Annotated[
        str | None, typer.Option(help="Sessions that were active since then: 2h, 7d, or an ISO date or time.")
    ] = None,
    until: Annotated[str | None, typer.Option(help="Calls before then: the same forms.")] = None,
    server: Annotated[str | None, typer.Option(help="This MCP server.  [default: the one that the file names]")] = None,
    run: Annotated[
        str | None, typer.Option(metavar="LABEL", help="Only traffic recorded with this label: instrument --run.")
    ] = None,
    limit: Rows = None,
    format: Format = None,
    json: Json = False,
    raw: Raw = False,
    lake: Lake = None,
) -> int:
    """Compare the recorded traffic with a limits file, e.g. one from `mcpobs baseline`.

    Finds sessions over their calls, cost, duration or number of tools, tools over their calls in a session or their
    error rate, callers over their calls in an hour, p95 over the latency budget (from 60 calls on), arguments, their
    values and results over their size, argument shapes and tools that the file does not list.

    \b
    Exit codes:
      0  no breach
      1  breaches, which it lists
      2  the limits file is wrong
      3  no lake, or no calls to check

    \b
    Examples:
      mcpobs check limits.yaml
      mcpobs check limits.yaml --since 24h --format markdown
    """
    from mcpobs.cli.check import CheckOptions, run_check

    return run_check(
        CheckOptions(
            limits=limits,
            since=since,
            until=until,
            server=server,
            run=run,
            limit=limit,
            format=format,
            json=json,
            raw=raw,
            lake=lake,
        )
    )
