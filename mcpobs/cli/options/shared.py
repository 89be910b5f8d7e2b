"""Options that several commands have, with one help text each."""

from __future__ import annotations

from typing import Annotated

import typer

from mcpobs.cli import complete

Rows = Annotated[int | None, typer.Option(help="Rows at most.  [default: 20 in a table, else all]")]
Format = Annotated[
    str | None,
    typer.Option(
        help="table, json, csv or markdown.  [default: table]", show_default=False, autocompletion=complete.formats
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Short for --format json.")]
Raw = Annotated[
    bool,
    typer.Option("--raw", help="With --format csv: values as they are, also formulas and control characters."),
]
Lake = Annotated[
    str | None, typer.Option(help="Folder to read.  [default: MCPOBS_LAKE, else mcpobs in your data folder]")
]
Wide = Annotated[bool, typer.Option("--wide", help="Every column, also those that do not fit the terminal.")]
Columns = Annotated[
    str | None,
    typer.Option(metavar="A,B,…", help="The columns of the table, by name.  [default: those that answer the question]"),
]
TimeZone = Annotated[
    str | None,
    typer.Option(
        metavar="ZONE",
        help="Zone of times in tables and pages: utc, local, Europe/Berlin, +02:00.  [default: TZ, else utc]",
        autocompletion=complete.zones,
    ),
]
