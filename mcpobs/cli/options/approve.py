"""`mcpobs approve`: its options and its help. The work is in `cli/approve.py`."""

from __future__ import annotations

from typing import Annotated

import typer

from mcpobs.cli.options.shared import Json

What = Annotated[str, typer.Argument(metavar="WHAT", help="`definitions`: the tool definitions of servers.")]
Servers = Annotated[
    list[str] | None,
    typer.Argument(metavar="[SERVER]...", help="Names of servers.  [default: list all with their open definitions]"),
]


def approve(
    what: What,
    servers: Servers = None,
    tool: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only this tool. May be given several times.")
    ] = None,
    diff: Annotated[bool, typer.Option("--diff", help="Show what changed, and approve nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Approve without asking.")] = False,
    by: Annotated[str | None, typer.Option(metavar="NAME", help="Who approves.  [default: your user name]")] = None,
    expect: Annotated[
        str | None, typer.Option(metavar="HASH", help="Approve only what --diff showed with this hash.")
    ] = None,
    source: Annotated[
        str | None,
        typer.Option("--from", metavar="FILE", help="Take the definitions from a tools/list result; - is stdin."),
    ] = None,
    file: Annotated[
        str | None, typer.Option(metavar="FILE", help="The file of approved definitions, e.g. in a repository.")
    ] = None,
    policy: Annotated[
        list[str] | None,
        typer.Option(metavar="FILE", help="Policies that may name that file.  [default: those of config.toml]"),
    ] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Withdraw approvals; name each tool with --tool.")] = False,
    config: Annotated[
        str | None, typer.Option(metavar="FOLDER", help="Folder of config.toml.  [env: MCPOBS_CONFIG]")
    ] = None,
    json: Json = False,
) -> None:
    """Approve new and changed tool definitions of servers.

    An `mcpobs instrument` whose policy has `find: definitions` records the tools that a server lists. Approved
    definitions are in approved/SERVER.json beside config.toml, or in the file that the policy or --file names; keep it
    in git. `--by` is a label: nobody verifies it. Exit code 1: a definition is still open.

    \b
    Examples:
      mcpobs approve definitions
      mcpobs approve definitions shop --diff
      mcpobs approve definitions shop --tool search --by ann
      mcpobs approve definitions shop --from tools.json --file approved/shop.json --yes
      mcpobs approve definitions shop --remove --tool search
    """
    from mcpobs.cli.approve import ApproveOptions, run_approve

    options = ApproveOptions(
        what=what,
        servers=tuple(servers or ()),
        tools=tuple(tool or ()),
        diff=diff,
        yes=yes,
        by=by,
        expect=expect,
        source=source,
        file=file,
        policies=tuple(policy or ()),
        remove=remove,
        config=config,
        json=json,
    )
    raise typer.Exit(run_approve(options))
