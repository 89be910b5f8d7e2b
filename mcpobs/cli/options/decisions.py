"""`mcpobs decisions`: its options and its help. The work is in `cli/report.py`."""

from __future__ import annotations

from typing import Annotated

import typer

from mcpobs.cli import complete
from mcpobs.cli.options.shared import Columns, Format, Json, Lake, Raw, Rows, TimeZone, Wide


def decisions(
    since: Annotated[str | None, typer.Option(help="Calls from then on: 15m, 2h, 7d, or an ISO date or time.")] = None,
    until: Annotated[str | None, typer.Option(help="Calls before then: the same forms.")] = None,
    session: Annotated[
        str | None,
        typer.Option(help="This session only; the beginning of its id is enough.", autocompletion=complete.sessions),
    ] = None,
    tool: Annotated[str | None, typer.Option(help="This tool only.", autocompletion=complete.tools)] = None,
    server: Annotated[
        str | None, typer.Option(help="This MCP server only: its service_name.", autocompletion=complete.servers)
    ] = None,
    code: Annotated[
        str | None,
        typer.Option(help="Denials of this code only: call_limit, not_allowed, …", autocompletion=complete.codes),
    ] = None,
    rule: Annotated[
        str | None, typer.Option(help="Decisions by the rule or limit of this id only.", autocompletion=complete.rules)
    ] = None,
    limit: Rows = None,
    wide: Wide = False,
    columns: Columns = None,
    tz: TimeZone = None,
    format: Format = None,
    json: Json = False,
    raw: Raw = False,
    html: Annotated[str | None, typer.Option(help="Write a page, one file that needs no network; - is stdout.")] = None,
    lake: Lake = None,
) -> int:
    """List what a policy refused, would have refused, or let pass with a warning.

    One line a decision that is not a plain allow, the newest first: why, by which rules and limits, and what these had
    counted. `would deny` is what rules in log_only would have made of it. `mcpobs report decisions` gives the same.

    \b
    Examples:
      mcpobs decisions --since 1d
      mcpobs decisions --code call_limit --tool search
      mcpobs decisions --rule refund-small --json
    """
    from mcpobs.cli.report import ReportOptions, run_report

    return run_report(
        ReportOptions(
            name="decisions",
            since=since,
            until=until,
            session=session,
            tool=tool,
            server=server,
            code=code,
            rule=rule,
            limit=limit,
            wide=wide,
            columns=columns,
            tz=tz,
            format=format,
            json=json,
            raw=raw,
            html=html,
            lake=lake,
        )
    )
