"""`mcpobs policy`: its options and its help. The work is in `cli/policy.py`."""

from __future__ import annotations

from typing import Annotated

import typer

from mcpobs.cli.once import Commands
from mcpobs.cli.options.shared import Json, Lake
from mcpobs.errors import EXIT_FINDINGS

app = Commands(no_args_is_help=True, rich_markup_mode=None, help="Check and read policy and limits files.")

Files = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="FILE", help="Policy and limits files.  [default: those of config.toml]", show_default=False
    ),
]
Since = Annotated[str | None, typer.Option(help="Calls of the lake from then on: 15m, 2h, 7d, or an ISO date or time.")]
Server = Annotated[str | None, typer.Option(help="Calls of this MCP server only.")]


@app.command()
def check(
    files: Files = None,
    since: Since = None,
    server: Server = None,
    tools: Annotated[
        str | None,
        typer.Option(help="A file with the server's tools: a `tools/list` result, or a JSON list of names."),
    ] = None,
    json: Json = False,
    lake: Lake = None,
) -> None:
    """Find what in a policy does not do what it seems to do.

    Names that nobody has seen, rules that can never match or that another rule leaves nothing to, effects that fail
    open, limits that a new session resets, rules by a name that clients choose. With a lake also rules by which every
    recorded call would be denied. Each finding names file and line, what it means, and what to do.

    \b
    Exit codes:
      0  no findings, or notes only
      1  warnings
      2  a file is wrong

    \b
    Examples:
      mcpobs policy check policy.yaml
      mcpobs policy check policy.yaml limits.yaml --since 7d
      mcpobs policy check policy.yaml --tools tools.json --json
    """
    from mcpobs.cli.policy import PolicyOptions, run_check

    options = PolicyOptions(tuple(files or ()), since=since, server=server, tools=tools, json=json, lake=lake)
    if run_check(options):
        raise typer.Exit(EXIT_FINDINGS)


@app.command()
def show(
    files: Files = None,
    since: Since = None,
    server: Server = None,
    format: Annotated[str, typer.Option(help="text or markdown.")] = "text",
    json: Json = False,
    lake: Lake = None,
) -> None:
    """Print a policy as a document that a reviewer can sign.

    Who may call which tool under which conditions, limits and budgets, what happens when something fails, and what is
    not covered. With a lake it also has the tools that were called and that no rule names.

    \b
    Examples:
      mcpobs policy show policy.yaml
      mcpobs policy show policy.yaml limits.yaml --format markdown > policy.md
    """
    from mcpobs.cli.policy import PolicyOptions, run_show

    run_show(PolicyOptions(tuple(files or ()), since=since, server=server, format=format, json=json, lake=lake))


@app.command()
def schema() -> None:
    """Print the JSON Schema of policy and limits files, for editors.

    \b
    Examples:
      mcpobs policy schema > policy.schema.json
      # then, at the top of policy.yaml:
      # yaml-language-server: $schema=policy.schema.json
    """
    from mcpobs.cli.policy import run_schema

    run_schema()
