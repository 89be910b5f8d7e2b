"""`mcpobs query`, behind its options: lets a process of its own run the SQL, and prints the answer.

That process starts first, so that it loads the engine while this one loads what it prints with.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mcpobs.errors import EXIT_OK, LakeError, UsageError
from mcpobs.folders import lake_folder
from mcpobs.queries.limits import MAX_SQL, Limits, seconds, size
from mcpobs.queries.process import (
    Began,
    Done,
    Event,
    Opened,
    OverMemory,
    OverTime,
    Process,
    Progress,
    Question,
    Row,
    Rows,
)

if TYPE_CHECKING:
    from mcpobs.output.formats import Format
    from mcpobs.queries.header import Column
    from mcpobs.reports.warnings import Remark

HELD_BYTES = 512 << 20
"""Of an answer that must be held as a whole, about: only CSV is written while it comes."""

STREAMED_BYTES = 32 << 20
"""From so many on, CSV is written while it comes."""


def run_query(
    sql: str,
    *,
    format: str | None = None,
    json: bool = False,
    limit: int | None = None,
    timeout: str = "60",
    memory: str = "2GB",
    lake: str | None = None,
    raw: bool = False,
    wide: bool = False,
    tz: str | None = None,
) -> int:
    """Runs one SELECT and prints its answer; returns the exit code."""
    limits = Limits(timeout_s=seconds(timeout), memory_bytes=size(memory))
    with Process() as process:
        from mcpobs.cli.columns import answered
        from mcpobs.cli.elsewhere import naming_another
        from mcpobs.cli.streams import check_limit, chosen_format, commit_first
        from mcpobs.output.formats import DEFAULT_ROWS
        from mcpobs.reports.zone import shown_in, zone_of

        chosen = chosen_format(format, json, raw)
        check_limit(limit)
        zone = zone_of(tz, os.environ)
        text = _text(sql)
        if answered(text, chosen):
            return EXIT_OK
        if limit is None and chosen == "table":
            limit = DEFAULT_ROWS
        folder = lake_folder(lake)
        commit_first(folder)
        question = Question(folder, text, limit, progress=sys.stderr is not None and sys.stderr.isatty())
        try:
            with naming_another(folder):
                answer = _received(process.ask(question, limits), chosen, raw)
        except OverTime as error:
            raise UsageError(error.message, f"{error.hint}; or raise --timeout (0 is no limit)") from None
        except OverMemory as error:
            raise UsageError(error.message, f"{error.hint}; or raise --memory") from None
    with shown_in(zone):
        _print(answer, chosen, wide)
    return EXIT_OK


@dataclass(slots=True)
class _Answer:
    """The answer so far, and the rows that are not written yet."""

    columns: tuple[Column, ...] = ()
    rows: list[Row] = field(default_factory=list)
    held_bytes: int = 0
    written: int = 0
    total: int = 0
    warnings: tuple[Remark, ...] = ()
    raw: bool = False


def _received(events: Iterator[Event], chosen: Format, raw: bool) -> _Answer:
    from mcpobs.cli.progress import progress
    from mcpobs.cli.streams import warn
    from mcpobs.reports.warnings import of_damage

    answer = _Answer(raw=raw)
    damage = Opened([], 0)
    with progress() as showing:
        for event in events:
            match event:
                case Progress():
                    showing.reached(event.percent)
                case Opened():
                    damage = event
                    if damage.damaged_files or damage.damaged_lines:
                        showing.end()
                        answer.warnings = of_damage(damage)
                        warn(answer.warnings)
                case Began():
                    if answer.written:
                        raise LakeError(
                            "a file of the lake turned out to be damaged after a part of the answer was written",
                            "`mcpobs lake info` names what is damaged; --format json writes nothing before the end",
                        )
                    answer.columns, answer.rows, answer.held_bytes = event.columns, [], 0
                case Rows():
                    answer.rows += event.rows
                    answer.held_bytes += event.cost_bytes
                    if chosen == "csv" and answer.held_bytes > STREAMED_BYTES:
                        showing.end()
                        _write_csv(answer)
                    elif answer.held_bytes > HELD_BYTES:
                        raise UsageError(
                            f"the answer takes more than {HELD_BYTES >> 20} MB",
                            "write it with --format csv, or narrow it with --limit",
                        )
                case Done():
                    answer.total = event.total
                    if len(event.damaged_files) > len(damage.damaged_files):
                        showing.end()
                        answer.warnings = of_damage(Opened(event.damaged_files, damage.damaged_lines))
                        warn(answer.warnings)
    return answer


def _print(answer: _Answer, chosen: Format, wide: bool) -> None:
    from mcpobs.cli.streams import emit, more, say, table
    from mcpobs.output import json_text, markdown
    from mcpobs.output.table import Shown

    shown = answer.written + len(answer.rows)
    match chosen:
        case "json":
            content = json_text.document(answer.columns, answer.rows)
            emit(
                json_text.render(
                    {**content, "total": answer.total, "warnings": [warning.text for warning in answer.warnings]}
                )
            )
        case "csv":
            _write_csv(answer)
        case "markdown":
            emit(markdown.render(answer.columns, answer.rows, own=True))
        case "table":
            if answer.rows:
                emit(table(answer.columns, answer.rows, wide=wide, shown=Shown(own=True, more="--wide")))
            else:
                say("no rows")
    more(answer.total - shown, answer.total)


def _write_csv(answer: _Answer) -> None:
    """Writes the rows that are held, after the header if they are the first."""
    from mcpobs.cli.streams import emit
    from mcpobs.output import csv_text

    content = csv_text.render(answer.columns, answer.rows, raw=answer.raw)
    if answer.written:
        content = content[len(csv_text.render(answer.columns, [], raw=answer.raw)) :]
    emit(content)
    answer.written += len(answer.rows)
    answer.rows, answer.held_bytes = [], 0


def _text(sql: str) -> str:
    if sql != "-":
        try:
            sql.encode()
        except UnicodeEncodeError:  # a byte of the command line that is no UTF-8
            raise UsageError("the SQL is not UTF-8", "save it as UTF-8") from None
        return sql
    try:
        text = sys.stdin.read(MAX_SQL + 1)
    except UnicodeDecodeError:
        raise UsageError("the SQL on stdin is not UTF-8", "save it as UTF-8") from None
    if len(text) > MAX_SQL:
        raise UsageError(f"the SQL on stdin is longer than {MAX_SQL:,} characters", "shorten it")
    return text
