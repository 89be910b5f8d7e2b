"""`mcpobs simulate`: its options and its help. The work is in `cli/simulate.py`."""

from __future__ import annotations

from typing import Annotated

import typer

from mcpobs.cli.options.shared import Json, Lake, Rows


def simulate(
    files: Annotated[
        list[str], typer.Argument(help="Limits and policy files, as --policy takes them.", metavar="FILE...")
    ],
    since: Annotated[
        str | None, typer.Option(help="Calls since then: 2h, 7d, or an ISO date or time. Counters begin a day before.")
    ] = None,
    until: Annotated[str | None, typer.Option(help="Calls before then: the same forms.")] = None,
    server: Annotated[str | None, typer.Option(help="This MCP server only.")] = None,
    session: Annotated[str | None, typer.Option(help="Show this session only: an id, or its beginning.")] = None,
    sweep: Annotated[
        str | None,
        typer.Option(
            metavar="LIMIT[=FROM:TO[:STEP]]",
            help="Also show a curve over the cap of this limit: session.calls, tools.NAME.calls_per_session, "
            "budgets.session, or the id of a limit.",
        ),
    ] = None,
    limit: Rows = None,
    json: Json = False,
    lake: Lake = None,
) -> int:
    """Replay the recorded traffic against a policy: what would it have done?

    Every call goes through the engine that enforces, in the order in which the calls were made, with all rules in
    force whatever their mode. A call that the policy denies has not happened for later limits. Shows the sessions that
    would have been cut, by which limit and at which call; the calls denied and the money saved; how many loops are
    caught, and how many normal sessions are hit. The lake holds no content: a rule on content goes by the verdict that
    was recorded while it ran, and its other calls are counted as undecidable.

    \b
    Examples:
      mcpobs simulate limits.yaml
      mcpobs simulate limits.yaml policy.yaml --since 7d --server shop
      mcpobs simulate limits.yaml --sweep session.calls
      mcpobs simulate limits.yaml --sweep session.calls=20:200:20 --json

    \b
    Exit codes:
      0  it was simulated, whatever it would have cut; `mcpobs check` is the one that fails on breaches
      2  a file is wrong, or no limit has the name
      3  no lake, or no calls to replay
    """
    from mcpobs.cli.simulate import SimulateOptions, run_simulate

    return run_simulate(
        SimulateOptions(
            files=tuple(files),
            since=since,
            until=until,
            server=server,
            session=session,
            sweep=sweep,
            limit=limit,
            json=json,
            lake=lake,
        )
    )
