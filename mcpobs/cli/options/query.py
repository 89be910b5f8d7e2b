"""`mcpobs query`: its options and its help. The work is in `cli/query.py`."""

from __future__ import annotations

from typing import Annotated

import typer

from mcpobs.cli.options.shared import Format, Json, Lake, Raw, Rows, TimeZone, Wide


def query(
    sql: Annotated[str, typer.Argument(metavar="SQL", help="One select; - reads it from stdin.")],
    wide: Wide = False,
    format: Format = None,
    json: Json = False,
    raw: Raw = False,
    limit: Rows = None,
    tz: TimeZone = None,
    timeout: Annotated[str, typer.Option(help="Seconds that the query may take, or e.g. 10m; 0 is no limit.")] = "60",
    memory: Annotated[str, typer.Option(help="Memory that the query may take.")] = "2GB",
    lake: Lake = None,
) -> int:
    """Run your own read-only SQL (DuckDB's dialect) on the recorded calls.

    \b
    Tables:
      operations   every MCP request and notification, with its outcome, sizes, shapes and times
      tool_calls   those of them that called a tool
      sessions     one row a session
      spans        every recorded span

    \b
    Examples:
      mcpobs query "select tool, count(*) as calls from tool_calls group by tool order by calls desc"
      mcpobs query "select session_id, duration_ms from sessions where failed > 3" --json
      mcpobs query - < mine.sql
      mcpobs query "describe tool_calls"      also: show tables, and mcpobs columns

    Nothing but the lake can be read, and nothing can be written: one select and no other statement.
    The query runs in a process of its own, which is ended at its limits and by Ctrl-C.
    """
    from mcpobs.cli.query import run_query

    return run_query(
        sql, format=format, json=json, limit=limit, timeout=timeout, memory=memory, lake=lake, raw=raw, wide=wide, tz=tz
    )
