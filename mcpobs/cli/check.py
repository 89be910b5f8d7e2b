"""`mcpobs check`: compares the lake with a limits file and prints the breaches."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from mcpobs.baseline.breaches import COLUMNS, Checked, check
from mcpobs.cli.elsewhere import naming_another
from mcpobs.cli.streams import check_limit, chosen_format, emit, more, table, warn
from mcpobs.errors import EXIT_FINDINGS, EXIT_OK, LakeError
from mcpobs.folders import config_folder, lake_folder
from mcpobs.lake.reader import open_reading
from mcpobs.limits.file import read
from mcpobs.output import csv_text, json_text, markdown
from mcpobs.output.answer import window_members
from mcpobs.output.formats import DEFAULT_ROWS, Format
from mcpobs.queries.run import on_sound_files, plan_of
from mcpobs.reports import early, filters, window
from mcpobs.reports.filters import Filters
from mcpobs.reports.warnings import Remark, of_damage
from mcpobs.reports.window import Window
from mcpobs.settings import load_config


@dataclass(frozen=True, slots=True)
class CheckOptions:
    """The options of `mcpobs check`, named as they are on the command line."""

    limits: str
    since: str | None = None
    until: str | None = None
    server: str | None = None
    run: str | None = None
    limit: int | None = None
    format: str | None = None
    json: bool = False
    lake: str | None = None
    raw: bool = False


def run_check(options: CheckOptions, now: int | None = None) -> int:
    """Prints the breaches; returns 1 if there are any. `now` is the present in unix nanoseconds."""
    form = chosen_format(options.format, options.json, options.raw)
    check_limit(options.limit)
    chosen = window.given(options.since, options.until, time.time_ns() if now is None else now)
    limits = read(options.limits)
    server = options.server or (limits.baseline.server if limits.baseline is not None else None)
    config = load_config()
    until = None if chosen.until == window.FOREVER else chosen.until
    lake = lake_folder(options.lake)
    hash_name = early.hash_of(lake, config_folder())
    with naming_another(lake), open_reading(lake, until_unix_nano=until) as reading:
        found = on_sound_files(
            reading, lambda plan: check(plan, limits, chosen, server, config, options.run, hash_name)
        )
        warnings = of_damage(reading)
        warn(warnings)
        if not found.sessions:
            filters.check_known(plan_of(reading), Filters(server=server))
            raise LakeError(
                f"no tool calls of any session {chosen.when}: nothing to check",
                "record calls with `mcpobs instrument -- <server command>`, or look further back with --since",
            )
    _print(found, options, form, chosen, warnings)
    return EXIT_FINDINGS if found.breaches else EXIT_OK


def _print(found: Checked, options: CheckOptions, form: Format, chosen: Window, warnings: Sequence[Remark]) -> None:
    limit = options.limit or (DEFAULT_ROWS if form == "table" else None)
    rows = found.breaches[:limit]
    match form:
        case "json":
            emit(
                json_text.render(
                    {
                        "limits": options.limits,
                        "window": window_members(chosen),
                        "sessions": found.sessions,
                        "calls": found.calls,
                        **json_text.document(COLUMNS, rows),
                        "total": len(found.breaches),
                        "warnings": [warning.text for warning in warnings],
                    }
                )
            )
        case "csv":
            emit(csv_text.render(COLUMNS, rows, raw=options.raw))
        case "markdown":
            emit(f"{sentence(found)}\n" + (f"\n{markdown.render(COLUMNS, rows)}" if rows else ""))
        case "table":
            emit(f"{sentence(found)}\n" + (f"\n{table(COLUMNS, rows)}" if rows else ""))
    more(len(found.breaches) - len(rows), len(found.breaches))


def sentence(found: Checked) -> str:
    """The answer in one line."""
    count = len(found.breaches)
    words = "no breach" if count == 0 else "1 breach" if count == 1 else f"{count:,} breaches"
    sessions = "1 session" if found.sessions == 1 else f"{found.sessions:,} sessions"
    calls = "1 call" if found.calls == 1 else f"{found.calls:,} calls"
    return f"{words}: {sessions}, {calls} checked"
