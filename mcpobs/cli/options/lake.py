"""`mcpobs lake`: its options and its help. The work is in `cli/lake.py`."""

from __future__ import annotations

from typing import Annotated

import typer

from mcpobs.cli.once import Commands
from mcpobs.errors import EXIT_FINDINGS

app = Commands(no_args_is_help=True, rich_markup_mode=None, help="Look at the lake and keep it small.")

Lake = Annotated[str | None, typer.Option("--lake", help="The lake's folder; MCPOBS_LAKE says the same.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@app.command()
def info(lake: Lake = None, json: Json = False) -> None:
    """Say what the lake holds: operations, files, the spool, and what was lost or is damaged.

    Reads every file in full, so it finds damage that a report may not meet. Changes nothing.

    \b
    Examples:
      mcpobs lake info
      mcpobs lake info --lake ./demo-lake --json
    """
    from mcpobs.cli import lake as work

    work.info(lake, json)


@app.command()
def compact(lake: Lake = None, json: Json = False) -> None:
    """Move the spool to Parquet and merge small files.

    Needs no rest of the servers that record: it may run at any time, and so may reports meanwhile. Files that were
    replaced stay on disk for ten minutes, for a report that is reading them; the next commit after that deletes them.

    \b
    Examples:
      mcpobs lake compact
      mcpobs lake compact --lake /srv/mcp/lake
    """
    from mcpobs.cli import lake as work

    work.compact(lake, json)


@app.command()
def prune(
    older_than: Annotated[
        str, typer.Option("--older-than", help="Age: 30d, 12h, 90m. Or an ISO date or time: 2026-11-01.")
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be dropped.")] = False,
    now: Annotated[
        bool, typer.Option("--now", help="Delete from disk at once; a report that is running may fail.")
    ] = False,
    lake: Lake = None,
    json: Json = False,
) -> None:
    """Drop operations that began before a point in time, from the spool and from Parquet.

    The time of the operation counts, not that of its session: a session of weeks loses its old calls and keeps its
    new ones. No report sees a dropped operation any more. Its bytes stay on disk for ten minutes, for a report that
    is reading them, and are deleted by the next commit, compact or prune after that; with --now at once.

    \b
    Examples:
      mcpobs lake prune --older-than 30d
      mcpobs lake prune --older-than 12h --dry-run
      mcpobs lake prune --older-than 2026-11-01 --now
    """
    from mcpobs.cli import lake as work

    work.prune(lake, json, older_than=older_than, dry_run=dry_run, now=now)


@app.command()
def retry(lake: Lake = None, json: Json = False) -> None:
    """Try again to commit what was quarantined.

    A segment that cannot be committed, or that kills the process that commits it, is moved to the lake's folder
    `quarantine` and holds up no other. Each is tried again in a process of its own. What is committed leaves the
    quarantine; what fails stays, and the exit code is then 1.

    \b
    Examples:
      mcpobs lake retry
      mcpobs lake retry --lake /srv/mcp/lake --json
    """
    from mcpobs.cli import lake as work

    if work.retry(lake, json):
        raise typer.Exit(EXIT_FINDINGS)
