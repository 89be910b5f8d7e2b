"""`mcpobs report`: its options and its help. The work is in `cli/report.py`."""

from __future__ import annotations

from typing import Annotated

import typer

from mcpobs.cli.options.shared import Format, Json, Lake, Raw, Rows


def report(
    name: Annotated[str | None, typer.Argument(help="One of the reports below, or all.", show_default=False)] = None,
    p95: Annotated[bool, typer.Option("--p95", help="Which tool has the highest p95 right now?")] = False,
    since: Annotated[str | None, typer.Option(help="Calls from then on: 15m, 2h, 7d, or an ISO date or time.")] = None,
    until: Annotated[str | None, typer.Option(help="Calls before then: the same forms.")] = None,
    tool: Annotated[str | None, typer.Option(help="This tool only.")] = None,
    session: Annotated[str | None, typer.Option(help="This session only; the beginning of its id is enough.")] = None,
    server: Annotated[str | None, typer.Option(help="This MCP server only.")] = None,
    run: Annotated[
        str | None, typer.Option(metavar="LABEL", help="Only traffic recorded with this label: instrument --run.")
    ] = None,
    limit: Rows = None,
    min_calls: Annotated[
        int | None, typer.Option(help="Calls that a tool needs to be ranked or judged.  [default: 20 for --p95]")
    ] = None,
    min_repeats: Annotated[
        int | None, typer.Option(help="Of report loops: equal calls that make a loop.  [default: 3]")
    ] = None,
    format: Format = None,
    json: Json = False,
    raw: Raw = False,
    bars: Annotated[
        bool, typer.Option("--bars", help="Draw bars in a table even where stdout is no terminal.")
    ] = False,
    html: Annotated[
        str | None,
        typer.Option(metavar="[FILE]", help="Write a page with charts, one file that needs no network; - is stdout."),
    ] = None,
    watch: Annotated[
        str | None, typer.Option(metavar="[SECONDS]", help="Ask again and again, and show it in place.  [default: 2]")
    ] = None,
    by: Annotated[str | None, typer.Option(help="Of report cost: by tool, session or tenant.  [default: tool]")] = None,
    reprice: Annotated[
        bool, typer.Option("--reprice", help="Costs by today's prices of config.toml, not by those of their time.")
    ] = False,
    exact: Annotated[
        bool,
        typer.Option("--exact", help="Read every call for percentiles, also where roll-ups would do within 1.1 %."),
    ] = False,
    lake: Lake = None,
) -> int:
    """Answer a question about the recorded calls. Without a name: all of them, in short.

    \b
    Reports:
      latency    how long do tools take to answer, and how long is the tail?
      errors     what goes wrong, how often, and whose fault is it?
      sessions   which sessions make disproportionately many calls?
      failures   which calls failed, in which session, and what came before?
      precursors which calls come before a failure more often than chance?
      loops      is an agent calling the same tools again and again?
      shapes     do any tools see unusual arguments?
      cost       what do calls cost, and who spends it?
      http       how do requests reach the servers over HTTP, and which do not get in?
      decisions  what did the policy refuse, and what would it have refused?
      findings   what did inspection find in results, and what became of it?
      coverage   who reports the calls of each server, and what is not seen?
      all        every report, with a sentence about each first: a daily digest

    \b
    Examples:
      mcpobs report --p95
      mcpobs report loops --since 7d
      mcpobs report failures --session 9f2c --format json
      mcpobs report latency --server git --format markdown
      mcpobs report all --since 24h --html digest.html
      mcpobs report latency --since 1h --watch
      mcpobs report cost --by session --since 7d

    Times are UTC. --p95 looks at the last hour where a tool has enough calls in it, else at the newest window that
    has, and says which; tools with too few calls are set apart, so that one slow call never wins.
    """
    from mcpobs.cli.report import ReportOptions, run_report

    return run_report(
        ReportOptions(
            name=name,
            p95=p95,
            since=since,
            until=until,
            tool=tool,
            session=session,
            server=server,
            run=run,
            limit=limit,
            min_calls=min_calls,
            min_repeats=min_repeats,
            format=format,
            json=json,
            bars=bars,
            raw=raw,
            html=html,
            watch=watch,
            by=by,
            reprice=reprice,
            exact=exact,
            lake=lake,
        )
    )
