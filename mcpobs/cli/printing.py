"""Where a command's answer goes: data to stdout, words about it to stderr. Imports nothing heavy."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Protocol, cast, get_args

from mcpobs.errors import UsageError, nearest
from mcpobs.lake import backlog
from mcpobs.output.table import Rows
from mcpobs.output.table import render as render_table
from mcpobs.queries.header import Column
from mcpobs.reports.chart import Chart
from mcpobs.terminal import brief, line, printable

Format = Literal["table", "json", "csv", "markdown"]

DEFAULT_ROWS = 20
"""Rows of a table where --limit does not say; other formats have all."""


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
        raise UsageError(f"--format {name!r} is none that we write", f"{meant}the formats are {', '.join(formats)}")
    return cast(Format, name)


def check_limit(limit: int | None) -> None:
    if limit is not None and limit < 1:
        raise UsageError(f"--limit {limit} is not at least 1", "leave it out for the default")


def emit(text: str) -> None:
    """Writes to stdout, whatever its encoding is."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace", newline="")
    sys.stdout.write(text)
    sys.stdout.flush()


def table(
    columns: Sequence[Column], rows: Rows, chart: Chart | None = None, *, bars: bool = False, margin: int = 0
) -> str:
    """A table as wide as the terminal but for a margin; as wide as it needs, and without colour, where stdout is none.

    The chart's bars are drawn on a terminal that knows their characters; elsewhere only with `bars`.
    """
    terminal = sys.stdout.isatty()
    colour = terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    drawn = chart if bars or draws_blocks() else None
    cells_wide = terminal_cells() - margin if terminal else None
    return render_table(columns, rows, cells_wide=cells_wide, colour=colour, chart=drawn)


def draws_blocks() -> bool:
    """Whether stdout is a terminal that shows block characters."""
    encoding = (sys.stdout.encoding or "").lower().replace("-", "").replace("_", "")
    return sys.stdout.isatty() and encoding == "utf8" and os.environ.get("TERM") != "dumb"


def room_for_text(taken: int) -> int | None:
    """How many cells of a line are left for a text that goes on in the next; None where stdout is no terminal."""
    return max(24, terminal_cells() - taken) if sys.stdout.isatty() else None


def terminal_cells() -> int:
    given = os.environ.get("COLUMNS", "")
    if given.isdecimal() and int(given) > 0:
        return int(given)
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or 80
    except (OSError, ValueError):
        return 80


def commit_first(lake: Path) -> None:
    """Moves a large spool to Parquet before it is read, for a reader would load all of it each time."""
    if backlog.worth_committing(lake):
        from mcpobs.lake.writer import commit_if_large  # with deltalake behind it, where there is something to do

        commit_if_large(lake)


def say(message: str, hint: str | None = None) -> None:
    """A word to the person, beside the answer."""
    sys.stderr.write(line(message) + (f"hint: {brief(hint)}\n" if hint else ""))


def more(left_out: int, total: int) -> None:
    """Tells how many rows were not shown."""
    if left_out > 0:
        rows = "row is" if left_out == 1 else "rows are"
        say(f"{left_out:,} more {rows} not shown", f"--limit {total} shows all")


class Damaged(Protocol):
    """What of a lake cannot be read."""

    @property
    def damaged_files(self) -> list[tuple[Path, str]]: ...
    @property
    def damaged_lines(self) -> int: ...


class _Timed(Protocol):
    """An open reading, as far as times are concerned."""

    @property
    def implausible_times(self) -> int: ...


def warn_of_damage(reading: Damaged, *, aloud: bool = True) -> list[str]:
    """One line on stderr for what the lake could not give, unless not `aloud`; the same lines, for a report's JSON."""
    warnings = []
    tell = say if aloud else _nothing
    if reading.damaged_lines:
        lines = "line is" if reading.damaged_lines == 1 else "lines are"
        warnings.append(f"{reading.damaged_lines:,} damaged {lines} left out of the spool")
        tell(
            f"warning: {warnings[-1]}", "calls that were being written during a crash or on a full disk are not counted"
        )
    for path, why in reading.damaged_files:
        warnings.append(f"{path} cannot be read and is left out: {why}")
        tell(f"warning: {warnings[-1]}", "restore the file from a backup; `mcpobs lake info` tells what is missing")
    return [printable(warning) for warning in warnings]


def warn_of_times(reading: _Timed, *, aloud: bool = True) -> list[str]:
    """One line on stderr for received spans with an implausible time, unless not `aloud`; the same, for JSON."""
    if not reading.implausible_times:
        return []
    spans = "span has" if reading.implausible_times == 1 else "spans have"
    warning = f"{reading.implausible_times:,} received {spans} an implausible time"
    if aloud:
        say(
            f"warning: {warning}; a start counts as the time of receipt",
            "set the sender's clock; the columns sent_* of `mcpobs query` hold what it sent",
        )
    return [warning]


def _nothing(message: str, hint: str | None = None) -> None:
    """Says nothing."""
