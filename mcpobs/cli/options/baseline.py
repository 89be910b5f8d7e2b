"""`mcpobs baseline`: its options and its help. The work is in `cli/baseline.py`."""

from __future__ import annotations

from typing import Annotated

import typer

from mcpobs.cli.options.shared import Lake


def baseline(
    output: Annotated[
        str, typer.Option("-o", "--output", help="File to write; - is stdout.", metavar="FILE", show_default=True)
    ] = "-",
    since: Annotated[
        str | None, typer.Option(help="Sessions that were active since then: 7d, or an ISO date or time.")
    ] = None,
    until: Annotated[str | None, typer.Option(help="Calls before then: the same forms.")] = None,
    server: Annotated[str | None, typer.Option(help="This MCP server; needed where the lake holds several.")] = None,
    run: Annotated[
        str | None, typer.Option(metavar="LABEL", help="Only traffic recorded with this label: instrument --run.")
    ] = None,
    strategy: Annotated[
        str | None,
        typer.Option(
            metavar="seed|cut-rate",
            help="seed: times the normal maximum, and the mean cost. cut-rate: the smallest ceilings that cut at most "
            "--cut-rate of new sessions.  [default: seed]",
        ),
    ] = None,
    cut_rate: Annotated[
        float | None, typer.Option(metavar="SHARE", help="Of --strategy cut-rate.  [default: 0.01]")
    ] = None,
    factor_calls: Annotated[
        float | None,
        typer.Option(help="Calls: this many times the most that a normal session made.  [default: 3]"),
    ] = None,
    factor_cost: Annotated[
        float | None, typer.Option(help="Cost: this many times the mean of a normal session.  [default: 4]")
    ] = None,
    min_sessions: Annotated[int, typer.Option(help="Fewer normal sessions give no limit.")] = 30,
    update: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Learn this file again: keeps your numbers and comments, prints what moved."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file.")] = False,
    json: Annotated[bool, typer.Option("--json", help="JSON in place of YAML.")] = False,
    lake: Lake = None,
) -> int:
    """Turn the recorded traffic into a limits file, each number with its evidence.

    Sessions with a loop, with far more calls than the others, or with arguments that no other session used are left
    out, and named. With too little traffic it gives no limits, and says how much is missing (exit code 3).

    \b
    Examples:
      mcpobs baseline > limits.yaml
      mcpobs baseline --since 30d --server git -o limits.yaml --force
      mcpobs baseline --update limits.yaml
      mcpobs baseline --run load-test --cut-rate 0.01
      mcpobs check limits.yaml
    """
    from mcpobs.cli.baseline import BaselineOptions, run_baseline

    return run_baseline(
        BaselineOptions(
            output=output,
            since=since,
            until=until,
            server=server,
            run=run,
            strategy=strategy,
            cut_rate=cut_rate,
            factor_calls=factor_calls,
            factor_cost=factor_cost,
            min_sessions=min_sessions,
            force=force,
            update=update,
            json=json,
            lake=lake,
        )
    )
