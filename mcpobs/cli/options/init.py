"""`mcpobs init`: its options and its help. The work is in `cli/init.py`."""

from __future__ import annotations

from typing import Annotated

import typer


def init(
    paths: Annotated[
        list[str] | None,
        typer.Argument(metavar="PATH", help="Configurations to change.  [default: all that are found]"),
    ] = None,
    client: Annotated[
        str | None,
        typer.Option(
            help="Only this client's: claude-desktop, claude-code, cursor, vscode, devcontainer, codex, opencode, zed, "
            "gemini or windsurf."
        ),
    ] = None,
    server: Annotated[
        list[str] | None, typer.Option(help="Only the server of this name; may be given several times.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change, and change nothing.")] = False,
    revert: Annotated[bool, typer.Option("--revert", help="Take mcpobs away again.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    command: Annotated[
        str | None,
        typer.Option(help="What the client is to start, e.g. mcpobs.  [default: the path of this mcpobs]"),
    ] = None,
    lake: Annotated[
        str | None, typer.Option(help="Folder to record to.  [default: MCPOBS_LAKE, else mcpobs in your data folder]")
    ] = None,
    policy: Annotated[
        list[str] | None,
        typer.Option(help="Enforce this policy or limits file in all servers: [policy] files of config.toml."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> int:
    """Run the servers of your MCP clients through mcpobs.

    Looks for the configurations of Claude Desktop, Claude Code, Cursor, VS Code, dev containers, Codex, opencode, Zed,
    Gemini CLI and Windsurf, those of the current folder too, and puts `mcpobs instrument` in front of each stdio
    server's command. It shows the difference and asks. Only the command and its arguments are edited: comments, the
    order of keys and every other byte stay. A server that is reached by HTTP is left alone; for it you are shown the
    command to run.

    The configuration as it was is kept in mcpobs' own configuration folder. --revert gives back its very bytes; where
    the file has been changed since, it takes mcpobs away from the servers and keeps those changes. Restart the client
    afterwards.

    \b
    Examples:
      mcpobs init                              everything that is found
      mcpobs init --dry-run                    only look
      mcpobs init --client cursor --server git
      mcpobs init .mcp.json --command mcpobs   for a project that others share
      mcpobs init --policy policy.yaml --policy limits.yaml
      mcpobs init --revert

    Exit codes: 0 done, or nothing to do; 1 with --dry-run something would change, or you said no; 2 a configuration
    could not be read or changed (the others are done), or nobody could be asked and --yes was not given.
    """
    from mcpobs.cli.init import InitOptions, run_init

    options = InitOptions(
        paths=tuple(paths or ()),
        client=client,
        servers=tuple(server or ()),
        dry_run=dry_run,
        revert=revert,
        yes=yes,
        command=command,
        lake=lake,
        json=json,
        policy=tuple(policy or ()),
    )
    return run_init(options)
