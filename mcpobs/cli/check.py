"""`mcpobs check`: compares the lake with a limits file and prints the breaches."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from mcpobs.baseline.breaches import (
    BROKEN,
    COLUMNS,
    NEW_SHAPE,
    NEW_TOOL,
    UNKNOWN_TOOL,
    Breach,
    Broken,
    Checked,
    check,
)
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
from mcpobs.terminal import brief, printable

BROKEN_LINES = 8


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
                        "broken": [one._asdict() for one in found.broken],
                        **json_text.document(COLUMNS, rows),
                        "total": len(found.breaches),
                        "warnings": [warning.text for warning in warnings],
                    }
                )
            )
        case "csv":
            emit(csv_text.render(COLUMNS, rows, raw=options.raw))
        case "markdown":
            listed = "".join(
                f"- {markdown.escaped(line.strip())}\n" for line in (*broken_lines(found), *tool_lines(found))
            )
            head = f"{sentence(found)}\n" + (f"\n{listed}" if listed else "")
            emit(head + (f"\n{markdown.render(COLUMNS, rows)}" if rows else ""))
        case "table":
            shown = (
                table(COLUMNS[:-1], [row[:-1] for row in rows]) if rows else ""
            )  # the lines above say what to expect
            emit(
                "\n".join([sentence(found), *broken_lines(found), *tool_lines(found), *(["", shown] if rows else [""])])
            )
    more(len(found.breaches) - len(rows), len(found.breaches))


def sentence(found: Checked) -> str:
    """The answer in one line."""
    words = _counted(len(found.breaches), "breach", "breaches") if found.breaches else "no breach"
    classes = [
        _counted(count, one, many)
        for count, one, many in (
            (len(found.broken) + len(_of(found, BROKEN, "latency_ms")), "limit broken", "limits broken"),
            (len(_of(found, NEW_TOOL)), "new tool", "new tools"),
            (len(_of(found, NEW_SHAPE)), "new shape", "new shapes"),
            (len(_of(found, UNKNOWN_TOOL)), "unknown tool in the file", "unknown tools in the file"),
        )
        if count
    ]
    return (
        words
        + (f" ({', '.join(classes)})" if classes else "")
        + f": {_counted(found.sessions, 'session', 'sessions')}, {_counted(found.calls, 'call', 'calls')} checked"
    )


def broken_lines(found: Checked) -> list[str]:
    """How often each limit was broken, and how often the file expects it."""
    lines = [_broken_line(one) for one in found.broken[:BROKEN_LINES]]
    if len(found.broken) > BROKEN_LINES:
        lines.append(f"  {len(found.broken) - BROKEN_LINES:,} more limits broken: see --format json")
    return lines


def tool_lines(found: Checked) -> list[str]:
    """The tools that only the lake or only the file knows; their rows come last."""
    tools = [*_of(found, UNKNOWN_TOOL), *_of(found, NEW_TOOL)]
    lines = [f"  {one.finding} {brief(one.tool or '')}: {printable(one.note or '')}" for one in tools[:BROKEN_LINES]]
    if len(tools) > BROKEN_LINES:
        lines.append(f"  {len(tools) - BROKEN_LINES:,} more tools: see --format json")
    return lines


def _broken_line(one: Broken) -> str:
    of = f" of {brief(one.tool)}" if one.tool is not None else ""
    expected = ""
    if one.high is not None:
        expected = f", {one.low:,} to {one.high:,} expected" + (": more than that" if one.over > one.high else "")
    whose = "days of callers" if one.limit.endswith("per_hour") else "sessions"
    return f"  {one.limit}{of}: {one.over:,} of {one.compared:,} {whose} over {one.allowed:g}{expected}"


def _of(found: Checked, finding: str, limit: str | None = None) -> list[Breach]:
    return [one for one in found.breaches if one.finding == finding and limit in (None, one.limit)]


def _counted(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"
