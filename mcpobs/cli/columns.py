"""`mcpobs columns`, and `show tables` and `describe` of `mcpobs query`: prints what there is to ask for."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mcpobs.cli.streams import chosen_format, emit, table
from mcpobs.errors import EXIT_OK, UsageError
from mcpobs.output import csv_text, json_text, markdown
from mcpobs.output.formats import Format
from mcpobs.output.table import Rows
from mcpobs.queries.header import Column

_REPORT = "report"
_SHOW = re.compile(r"\s*show\s+tables\s*;?\s*", re.IGNORECASE)
_DESCRIBE = re.compile(r"\s*desc(?:ribe)?\s+(?:table\s+)?\"?([A-Za-z_][A-Za-z0-9_]*)\"?\s*;?\s*", re.IGNORECASE)


def run_columns(names: Sequence[str], *, format: str | None = None, json: bool = False) -> int:
    """Prints the tables and reports, or the columns of the one that is named; returns the exit code."""
    from mcpobs.queries import described

    chosen = chosen_format(format, json)
    if not names:
        _print(described.TABLES, described.listed(), chosen)
    else:
        _print(described.COLUMNS, _columns(names), chosen)
    return EXIT_OK


def _columns(names: Sequence[str]) -> Rows:
    """A table goes before a report of its name."""
    from mcpobs.queries import catalog, described
    from mcpobs.queries.fence import RELATIONS

    is_report = names[0] == _REPORT and len(names) == 2
    name = names[1] if is_report else names[0]
    if len(names) != 1 + is_report:
        raise UsageError("name one table or report", "mcpobs columns tool_calls, or mcpobs columns report sessions")
    reports = {query.name for query in catalog.reports()}
    if is_report or (name in reports and name not in RELATIONS):
        return described.report_columns(name)
    return described.columns(name)


def answered(sql: str, chosen: Format) -> bool:
    """Prints the answer of `show tables` or `describe TABLE`; false for any other SQL."""
    is_show, match = _SHOW.fullmatch(sql), _DESCRIBE.fullmatch(sql)
    if not is_show and match is None:
        return False
    from mcpobs.queries import described  # loads the engine, which any other SQL needs in another process only

    if match is None:
        _print(described.TABLES, described.tables(), chosen)
    else:
        _print(described.COLUMNS, described.columns(match[1].lower()), chosen)
    return True


def _print(columns: Sequence[Column], rows: Rows, chosen: Format) -> None:
    match chosen:
        case "json":
            emit(json_text.render(json_text.document(columns, rows)))
        case "csv":
            emit(csv_text.render(columns, rows))
        case "markdown":
            emit(markdown.render(columns, rows))
        case "table":
            emit(table(columns, rows))
