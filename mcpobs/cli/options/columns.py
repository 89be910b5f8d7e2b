"""`mcpobs columns`: its options and its help. The work is in `cli/columns.py`."""

from __future__ import annotations

from typing import Annotated

import typer

from mcpobs.cli.complete import described_names
from mcpobs.cli.options.shared import Format, Json


def columns(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[TABLE | report NAME]", help="A table or a report.", autocompletion=described_names),
    ] = None,
    format: Format = None,
    json: Json = False,
) -> int:
    """List the columns of a table or a report, with their meaning. Without a name: the tables and reports.

    The names are the same in SQL, JSON, CSV and --columns. A table goes before a report of the same name.

    \b
    Examples:
      mcpobs columns
      mcpobs columns tool_calls
      mcpobs columns report sessions
    """
    from mcpobs.cli.columns import run_columns

    return run_columns(names or [], format=format, json=json)
