"""`mcpobs report`, behind its options: opens the lake, runs the query, prints the answer.

Imports no typer (100 ms), for the fast door comes here directly. stdout gets the answer, stderr everything else.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from mcpobs.cli.asking import ALL, Found, ask, ask_all, ask_overview, ask_p95
from mcpobs.cli.printing import (
    DEFAULT_ROWS,
    Format,
    check_limit,
    chosen_format,
    commit_first,
    emit,
    more,
    say,
    warn_of_damage,
)
from mcpobs.cli.writing import TOP_ROWS, written
from mcpobs.errors import EXIT_OK, UsageError
from mcpobs.lake.engine import Connection
from mcpobs.lake.reader import Reading, open_reading
from mcpobs.queries import catalog, filters, window
from mcpobs.queries.filters import Filters
from mcpobs.queries.header import Query
from mcpobs.queries.run import on_sound_files
from mcpobs.queries.window import Window
from mcpobs.settings import lake_folder

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
    bars: bool = False
    lake: str | None = None


def run_report(options: ReportOptions, now: int | None = None) -> int:
    """Runs a report and prints it; returns the exit code. `now` is the present in unix nanoseconds."""
    now = time.time_ns() if now is None else now
    form = chosen_format(options.format, options.json)
    check_limit(options.limit)
    query = _query(options)
    chosen = None
    if not options.p95 or options.since is not None or options.until is not None:
        chosen = window.given(options.since, options.until, now)
    wanted = Filters(options.tool, options.session, options.server)
    since, until = _bounds(query, chosen, wanted)
    lake = lake_folder(options.lake)
    commit_first(lake)
    with open_reading(lake, since_unix_nano=since, until_unix_nano=until) as reading:

        def work(connection: Connection) -> Found:
            resolved = filters.resolve(connection, wanted)
            if query is not None and chosen is not None:
                return ask(connection, query, resolved, chosen, options.min_calls)
            if options.name == ALL:
                return ask_all(connection, resolved, chosen or window.EVERYTHING, now, options.min_calls)
            if options.p95:
                return ask_p95(connection, resolved, chosen, now, options.min_calls)
            return ask_overview(connection, resolved, chosen or window.EVERYTHING, now, options.min_calls)

        found = on_sound_files(reading, work)
        warnings = warn_of_damage(reading)
        if not found.result.rows:
            _tell_empty(reading, wanted, found.window)
    _print(found, form, options.limit, warnings, options.bars)
    return EXIT_OK


def _query(options: ReportOptions) -> Query | None:
    if options.p95 and options.name is not None:
        raise UsageError(f"--p95 is a report of its own and does not go with {options.name!r}", "leave one of them out")
    if options.name is None or options.name == ALL:
        return None
    query = catalog.report(options.name)
    if options.min_calls is not None and all(param.name != "min_calls" for param in query.params):
        raise UsageError(f"the report {query.name} takes no --min-calls", "leave it out")
    return query


def _bounds(query: Query | None, chosen: Window | None, wanted: Filters) -> tuple[int | None, int | None]:
    """What the reader may leave out. The beginning of a session's id is looked up in the whole lake."""
    if chosen is None or wanted.session is not None:
        return None, None
    whole = query is None or query.whole_history  # the overview holds reports of that kind
    since = None if whole or chosen.since == 0 else chosen.since
    return since, None if chosen.until == window.FOREVER else chosen.until


def _print(found: Found, form: Format, limit: int | None, warnings: list[str], bars: bool) -> None:
    if found.report == ALL:  # each of its tables says how many rows it leaves out
        cut = TOP_ROWS if limit is None and form in ("table", "markdown") else limit
        emit(written(found, form, cut, warnings, bars=bars))
        return
    if limit is None and form == "table":
        limit = DEFAULT_ROWS
    emit(written(found, form, limit, warnings, bars=bars))
    total = found.result.total
    more(total - len(found.result.rows[:limit]), total)


def _tell_empty(reading: Reading, wanted: Filters, chosen: Window) -> None:
    """Says why there is nothing: a name that the lake does not know, no calls in the window, or nothing of the kind."""
    if wanted:
        with open_reading(reading.lake) as whole:
            on_sound_files(whole, lambda connection: filters.check_known(connection, wanted))
    extent = ask(reading.connection, catalog.load("extent"), filters.resolve(reading.connection, wanted), chosen)
    calls = extent.result.records()[0]["calls"]
    if calls:
        say(f"nothing of the kind among {calls:,} calls {chosen.when}")
        return
    narrowed = " for this filter" if wanted else ""
    say(
        f"no calls{narrowed} {chosen.when}",
        f"look further back with --since, or {RECORD}" if chosen.since else RECORD,
    )
