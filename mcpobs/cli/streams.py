"""Where a command's answer goes: data to stdout, words about it to stderr. Imports nothing heavy."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import cast, get_args

from mcpobs.errors import OutputError, UsageError, nearest
from mcpobs.lake import backlog
from mcpobs.output.formats import Format, Paper
from mcpobs.output.table import Rows, Shown
from mcpobs.output.table import render as render_table
from mcpobs.queries.header import Column
from mcpobs.reports.warnings import Remark
from mcpobs.terminal import brief, line


def chosen_format(name: str | None, json: bool, raw: bool = False) -> Format:
    """The format by --format, --json and --raw."""
    chosen = _chosen_format(name, json)
    if raw and chosen != "csv":
        raise UsageError("--raw is for --format csv only", "leave it out, or add --format csv")
    return chosen


def _chosen_format(name: str | None, json: bool) -> Format:
    if name is None:
        return "json" if json else "table"
    if json and name != "json":
        raise UsageError(f"--json and --format {name} exclude each other", "leave one of them out")
    formats = get_args(Format)
    if name not in formats:
        close = nearest(name, formats)
        meant = f"did you mean {close}? " if close else ""
        raise UsageError(f"unknown format {name!r}", f"{meant}the formats are {', '.join(formats)}")
    return cast(Format, name)


def check_limit(limit: int | None, option: str = "--limit") -> None:
    if limit is not None and limit < 1:
        raise UsageError(f"{option} must be at least 1, not {limit}", "leave it out for the default")


def emit(text: str) -> None:
    """Writes to stdout, whatever its encoding is. Raises OutputError if stdout is full or closed."""
    if sys.stdout is None:  # started without stdout
        raise OutputError(OSError(errno.EBADF, "it is closed"))
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace", newline="")
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(error) from None


def on_terminal() -> bool:
    """Whether stdout is a terminal; a closed one is none."""
    return sys.stdout is not None and sys.stdout.isatty()


def paper(*, bars: bool = False, margin: int = 0) -> Paper:
    """Describes stdout: a terminal of its width but for a margin, or a file. Bars are drawn on a terminal that knows
    their characters; elsewhere only with `bars`."""
    is_terminal = on_terminal()
    return Paper(
        cells_wide=terminal_cells() - margin if is_terminal else None,
        colour=is_terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb",
        blocks=bars or draws_blocks(),
    )


def table(columns: Sequence[Column], rows: Rows, *, wide: bool = False, shown: Shown | None = None) -> str:
    """A table for stdout; `wide` ones have every column."""
    on = paper()
    return render_table(columns, rows, cells_wide=None if wide else on.cells_wide, colour=on.colour, shown=shown)


def draws_blocks() -> bool:
    """Whether stdout is a terminal that shows block characters."""
    if not on_terminal():
        return False
    encoding = (sys.stdout.encoding or "").lower().replace("-", "").replace("_", "")
    return encoding == "utf8" and os.environ.get("TERM") != "dumb"


def terminal_cells() -> int:
    given = os.environ.get("COLUMNS", "")
    if given.isascii() and given.isdecimal() and int(given) > 0:
        return int(given)
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or 80
    except (OSError, ValueError, AttributeError):  # AttributeError: started without stdout
        return 80


def commit_first(lake: Path) -> None:
    """Moves a large spool to Parquet before it is read, because each reader would load all of it."""
    if backlog.worth_committing(lake):
        from mcpobs.lake.writer import commit_if_large  # loads deltalake, so only if there is something to do

        commit_if_large(lake)


def say(message: str, hint: str | None = None) -> None:
    """Writes a message to stderr, with a hint in a line of its own."""
    sys.stderr.write(line(message) + (f"hint: {brief(hint)}\n" if hint else ""))


def more(left_out: int, total: int) -> None:
    """Prints how many rows were not shown."""
    if left_out > 0:
        rows = "row is" if left_out == 1 else "rows are"
        say(f"{left_out:,} more {rows} not shown", f"--limit {total} shows all")


def remark(one: Remark) -> None:
    """Writes a remark to stderr."""
    say(one.text, one.hint)


def warn(warnings: Iterable[Remark]) -> None:
    """A line on stderr for each warning."""
    for one in warnings:
        say(f"warning: {one.text}", one.hint)
