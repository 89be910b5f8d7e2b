"""`mcpobs query`, behind its options: reads the SQL, runs it behind the fence, prints the answer."""

from __future__ import annotations

import sys

from mcpobs.cli.printing import (
    DEFAULT_ROWS,
    check_limit,
    chosen_format,
    commit_first,
    emit,
    more,
    say,
    table,
    warn_of_damage,
)
from mcpobs.cli.progress import progress
from mcpobs.errors import EXIT_OK, UsageError
from mcpobs.lake.reader import open_reading
from mcpobs.output import csv_text, json_text, markdown
from mcpobs.queries.own import run_own
from mcpobs.settings import lake_folder

MAX_SQL = 1_000_000


def run_query(
    sql: str,
    *,
    form: str | None = None,
    json: bool = False,
    limit: int | None = None,
    lake: str | None = None,
    raw: bool = False,
) -> int:
    """Runs one SELECT and prints its answer; returns the exit code."""
    chosen = chosen_format(form, json, raw)
    check_limit(limit)
    text = _text(sql)
    if limit is None and chosen == "table":
        limit = DEFAULT_ROWS
    folder = lake_folder(lake)
    with progress():
        commit_first(folder)
        reading = open_reading(folder)
    with reading:
        warnings = warn_of_damage(reading)
        damaged = len(reading.damaged_files)
        with progress() as telling:
            telling.follow(reading.connection)
            result = run_own(reading, text, limit)
        if len(reading.damaged_files) > damaged:
            warnings = warn_of_damage(reading)
    match chosen:
        case "json":
            content = json_text.document(result.columns, result.rows)
            emit(json_text.render({**content, "total": result.total, "warnings": warnings}))
        case "csv":
            emit(csv_text.render(result.columns, result.rows, raw=raw))
        case "markdown":
            emit(markdown.render(result.columns, result.rows))
        case "table":
            if result.rows:
                emit(table(result.columns, result.rows))
            else:
                say("no rows")
    more(result.total - len(result.rows), result.total)
    return EXIT_OK


def _text(sql: str) -> str:
    if sql != "-":
        try:
            sql.encode()
        except UnicodeEncodeError:  # a byte of the command line that is no UTF-8
            raise UsageError("the SQL is not UTF-8") from None
        return sql
    try:
        text = sys.stdin.read(MAX_SQL + 1)
    except UnicodeDecodeError:
        raise UsageError("the SQL on stdin is not UTF-8") from None
    if len(text) > MAX_SQL:
        raise UsageError(f"the SQL on stdin is longer than {MAX_SQL:,} characters")
    return text
