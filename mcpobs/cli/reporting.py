"""`mcpobs report`, behind its options: opens the lake, runs the query, prints the answer.

Imports no typer (100 ms), for the fast door comes here directly. stdout gets the answer, stderr everything else.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from typing import Any

from mcpobs.cli.printing import Format, chosen_format, emit, more, say, table, warn_of_damage
from mcpobs.errors import EXIT_OK, UsageError
from mcpobs.lake.reader import Reading, open_reading
from mcpobs.output import csv_text, json_text, markdown, units
from mcpobs.output.text import printable
from mcpobs.queries import catalog, filters, ranking, window
from mcpobs.queries.filters import Filters
from mcpobs.queries.header import Query, Value
from mcpobs.queries.ranking import Ranking
from mcpobs.queries.run import Result, run
from mcpobs.queries.window import Window
from mcpobs.settings import lake_folder

DEFAULT_ROWS = 20
RECORD = "record calls with `mcpobs instrument -- <server command>`"


@dataclass(frozen=True, slots=True)
class ReportOptions:
    """The options of `mcpobs report`, named as they are on the command line."""

    name: str | None = None
    p95: bool = False
    since: str | None = None
    until: str | None = None
    tool: str | None = None
    session: str | None = None
    server: str | None = None
    limit: int | None = None
    min_calls: int | None = None
    format: str | None = None
    json: bool = False
    lake: str | None = None


def run_report(options: ReportOptions, now: int | None = None) -> int:
    """Runs a report and prints it; returns the exit code. `now` is the present in unix nanoseconds."""
    now = time.time_ns() if now is None else now
    form = chosen_format(options.format, options.json)
    if options.p95 and options.name not in (None, "latency"):
        raise UsageError(f"--p95 is a report of its own and does not go with {options.name!r}", "leave one of them out")
    if options.limit is not None and options.limit < 1:
        raise UsageError(f"--limit {options.limit} is not at least 1", "leave it out for the default")
    query = None if options.p95 or options.name is None else catalog.report(options.name)
    chosen = None
    if not options.p95 or options.since is not None or options.until is not None:
        chosen = window.given(options.since, options.until, now)
    wanted = Filters(options.tool, options.session, options.server)
    with open_reading(lake_folder(options.lake), **_bounds(query, chosen, wanted)) as reading:
        warnings = warn_of_damage(reading)
        wanted = filters.resolve(reading.connection, wanted)
        if query is not None and chosen is not None:
            _report(reading, query, wanted, chosen, options, form, warnings)
        elif options.p95:
            _p95(reading, wanted, chosen, options, form, warnings, now)
    return EXIT_OK


def _bounds(query: Query | None, chosen: Window | None, wanted: Filters) -> dict[str, int | None]:
    """What the reader may leave out. The beginning of a session's id is looked up in the whole lake."""
    if chosen is None or wanted.session is not None:
        return {}
    whole = query is not None and query.whole_history
    return {
        "since_unix_nano": None if whole or chosen.since == 0 else chosen.since,
        "until_unix_nano": None if chosen.until == window.FOREVER else chosen.until,
    }


def _report(
    reading: Reading,
    query: Query,
    wanted: Filters,
    chosen: Window,
    options: ReportOptions,
    form: Format,
    warnings: list[str],
) -> None:
    given: dict[str, Value] = {"since": chosen.since, "until": chosen.until, **wanted.params()}
    if options.min_calls is not None:
        if all(param.name != "min_calls" for param in query.params):
            raise UsageError(f"{query.name} takes no --min-calls", "leave it out")
        given["min_calls"] = options.min_calls
    result = run(reading.connection, query, given)
    if not result.rows:
        _tell_empty(reading, wanted, chosen)
    limit = options.limit or (DEFAULT_ROWS if form == "table" else None)
    rows = result.rows[:limit]
    match form:
        case "json":
            emit(_document(query.name, query.question, chosen, Result(result.columns, rows, result.total), warnings))
        case "csv":
            emit(csv_text.render(result.columns, rows))
        case "markdown":
            emit(markdown.render(result.columns, rows))
        case "table":
            if rows:
                emit(table(result.columns, rows))
    more(result.total - len(rows), result.total)


def _p95(
    reading: Reading,
    wanted: Filters,
    chosen: Window | None,
    options: ReportOptions,
    form: Format,
    warnings: list[str],
    now: int,
) -> None:
    min_calls = ranking.MIN_CALLS if options.min_calls is None else options.min_calls
    found = ranking.rank(reading.connection, wanted, chosen, now, min_calls)
    rows = [*found.ranked, *found.too_few]
    if not rows:
        _tell_empty(reading, wanted, found.window)
    answer = sentence(found)
    limit = options.limit or (DEFAULT_ROWS if form == "table" else None)
    ranked = found.ranked[:limit]
    too_few = found.too_few[: None if limit is None else max(0, limit - len(ranked))]
    match form:
        case "json":
            result = Result(found.columns, [*ranked, *too_few], len(rows))
            emit(_document("p95", answer, found.window, result, warnings, {"min_calls": min_calls}))
        case "csv":
            emit(csv_text.render(found.columns, [*ranked, *too_few]))
        case "markdown":
            emit(f"{markdown.escaped(answer)}\n\n{markdown.render(found.columns, [*ranked, *too_few])}")
        case "table":
            emit(_p95_table(found, answer, ranked, too_few))
    more(len(rows) - len(ranked) - len(too_few), len(rows))


def sentence(found: Ranking) -> str:
    """The answer in one sentence."""
    names = [column.name for column in found.columns]
    if found.ranked:
        first = dict(zip(names, found.ranked[0], strict=True))
        servers = {row[names.index("service_name")] for row in (*found.ranked, *found.too_few)}
        tool = _tool(first, with_server=len(servers) > 1)
        return f"{tool}: p95 {units.milliseconds(first['p95_ms'])} ms over {first['calls']:,} calls in {found.window.words}"
    if found.too_few:
        most = max(int(row[names.index("calls")]) for row in found.too_few)  # type: ignore[call-overload]
        return f"no tool has {found.min_calls:,} answered calls in {found.window.words}; the most is {most:,}"
    return f"no answered calls in {found.window.words}"


def _tool(record: dict[str, Any], with_server: bool) -> str:
    tool = "(no tool name)" if record["tool"] is None else printable(str(record["tool"]))
    return f"{tool} of {printable(str(record['service_name']))}" if with_server else tool


def _p95_table(found: Ranking, answer: str, ranked: list[tuple[object, ...]], too_few: list[tuple[object, ...]]) -> str:
    columns = found.columns[:-1]
    text = answer + "\n"
    if ranked:
        text += "\n" + table(columns, [row[:-1] for row in ranked])
    if too_few:
        text += f"\ntoo few calls to rank (under {found.min_calls:,}):\n"
        text += table(columns, [row[:-1] for row in too_few])
    return text


def _document(
    name: str, answer: str, chosen: Window, result: Result, warnings: list[str], extra: dict[str, Any] | None = None
) -> str:
    """A report's JSON. Its form is a contract: fields are added, never renamed or taken away."""
    return json_text.render(
        {
            "report": name,
            ("answer" if name == "p95" else "question"): answer,
            "window": {
                "since_unix_nano": chosen.since or None,
                "until_unix_nano": None if chosen.until == window.FOREVER else chosen.until,
                "words": chosen.words,
            },
            **(extra or {}),
            **json_text.document(result.columns, result.rows),
            "total": result.total,
            "warnings": warnings,
        }
    )


def _tell_empty(reading: Reading, wanted: Filters, chosen: Window) -> None:
    """Says why there is nothing: a name that the lake does not know, or no such calls in the window."""
    if wanted:
        with open_reading(reading.lake) as whole:
            filters.check_known(whole.connection, wanted)
    narrowed = " that match" if wanted else ""
    hint = f"look further back with --since, or {RECORD}" if chosen.since else RECORD
    say(f"nothing to report{narrowed} in {chosen.words}", hint)
    sys.stderr.flush()
