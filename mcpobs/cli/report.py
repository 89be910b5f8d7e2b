"""`mcpobs report`, behind its options: opens the lake, runs the query, prints the answer.

Imports no typer (100 ms), for the fast door comes here directly. stdout gets the answer, stderr everything else.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

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
    warn_of_times,
)
from mcpobs.cli.progress import progress
from mcpobs.errors import EXIT_OK, UsageError
from mcpobs.lake.reader import Reading, open_reading
from mcpobs.output.answer import rows_shown, written
from mcpobs.queries import catalog
from mcpobs.queries.header import Query
from mcpobs.queries.plan import Plan
from mcpobs.queries.run import on_sound_files, plan_of
from mcpobs.reports import filters, window
from mcpobs.reports.ask import ALL, Found, ask, ask_activity, ask_all, ask_overview, ask_p95
from mcpobs.reports.filters import Filters
from mcpobs.reports.window import Window
from mcpobs.settings import lake_folder

RECORD = "record calls with `mcpobs instrument -- <server command>`"


@dataclass(frozen=True, slots=True)
class ReportOptions:
    """The options of `mcpobs report`, named as they are on the command line.

    `html` and `watch` are None where they are not given and empty where they are without a value.
    """

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
    html: str | None = None
    watch: str | None = None
    by: str | None = None
    reprice: bool = False
    exact: bool = False
    lake: str | None = None
    raw: bool = False


def run_report(options: ReportOptions, now: int | None = None) -> int:
    """Runs a report and prints it; returns the exit code. `now` is the present in unix nanoseconds."""
    form = chosen_format(options.format, options.json, options.raw)
    check_limit(options.limit)
    _check_forms(options)
    if options.html is not None and options.name is None and not options.p95:
        options = replace(options, name=ALL)  # a page of five sentences would be none
    if options.watch is not None:
        from mcpobs.cli.watch import watch

        return watch(options)
    now = time.time_ns() if now is None else now
    found, warnings = look(options, now, empty=_tell_empty)
    if options.html is not None:
        from mcpobs.output.page.answer import write_page

        write_page(found, wanted(options), options.limit, options.html, warnings, now)
    else:
        _print(found, form, options, warnings)
    return EXIT_OK


def look(
    options: ReportOptions, now: int, empty: Callable[[Reading, Filters, Window], None] | None = None
) -> tuple[Found, list[str]]:
    """Opens the lake and asks; the answer, and warnings that were told. `empty` is called where there are no rows."""
    query = _query(options)
    if options.by is not None or options.reprice:
        from mcpobs.reports.kinds import cost as costing

        costing.check(query, options.by, options.reprice, options.name == ALL)
    chosen = None
    if not options.p95 or options.since is not None or options.until is not None:
        chosen = window.given(options.since, options.until, now)
    given = wanted(options)
    since, until = _bounds(query, chosen, given)
    rows = _most_rows(options)
    lake = lake_folder(options.lake)
    with progress(wanted=options.watch is None) as telling:
        commit_first(lake)
        with open_reading(lake, since_unix_nano=since, until_unix_nano=until) as reading:
            telling.follow(reading.connection)
            found = on_sound_files(reading, lambda plan: _ask(plan, options, query, chosen, now, telling.step, rows))
            telling.end()
            warnings = warn_of_damage(reading, aloud=options.watch is None)
            warnings += warn_of_times(reading, aloud=options.watch is None)
            if not found.result.rows and empty is not None:
                empty(reading, given, found.window)
    return found, warnings


def _ask(
    plan: Plan,
    options: ReportOptions,
    query: Query | None,
    chosen: Window | None,
    now: int,
    step: Callable[[str], None],
    rows: int | None,
) -> Found:
    """The answer to what the options ask, of a long one the rows that can be shown. A live view shows calls over time
    beside each."""
    resolved = filters.resolve(plan, wanted(options))
    ever = chosen or window.EVERYTHING
    if options.reprice:
        from mcpobs.reports.kinds import cost as costing

        plan = costing.reprice(plan, say)
    if query is not None:
        found = ask(plan, query, resolved, ever, options.min_calls, rows, options.by, exact=options.exact)
    elif options.name == ALL:
        found = ask_all(plan, resolved, ever, now, options.min_calls, step, rows)
    elif options.p95:
        found = ask_p95(plan, resolved, chosen, now, options.min_calls, exact=options.exact)
    else:
        found = ask_overview(plan, resolved, ever, now, options.min_calls)
    if options.watch is None or found.activity is not None:
        return found
    return replace(found, activity=ask_activity(plan, resolved, found.window))


def _most_rows(options: ReportOptions) -> int | None:
    """How many rows of a long report are shown at all: a hundred million calls have more failures than memory."""
    if options.html is not None:
        from mcpobs.output.page.answer import ALL_ROWS

        return max(ALL_ROWS, options.limit or 0)
    whole = options.limit is None and chosen_format(options.format, options.json) in ("json", "csv", "markdown")
    return None if whole else max(DEFAULT_ROWS, options.limit or 0)


def wanted(options: ReportOptions) -> Filters:
    return Filters(options.tool, options.session, options.server)


def _check_forms(options: ReportOptions) -> None:
    """An answer has one form."""
    named = {"--html": options.html is not None, "--watch": options.watch is not None, "--json": options.json}
    named |= {f"--format {options.format}": options.format is not None and not options.json}
    chosen = [name for name, is_given in named.items() if is_given]
    if len(chosen) > 1:
        raise UsageError(f"{chosen[0]} and {chosen[1]} exclude each other", "leave one of them out")


def _query(options: ReportOptions) -> Query | None:
    if options.exact and not options.p95 and options.name != "latency":
        raise UsageError(
            "--exact is for percentiles: all else is exact", "mcpobs report latency --exact, or --p95 --exact"
        )
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
    if query is not None and query.takes("before") and chosen.before is not None:
        since = chosen.before
    return since, None if chosen.until == window.FOREVER else chosen.until


def _print(found: Found, form: Format, options: ReportOptions, warnings: list[str]) -> None:
    shown = rows_shown(found, form, options.limit)
    emit(written(found, form, shown, warnings, bars=options.bars, raw=options.raw))
    if found.report != ALL:  # each of its tables says itself how many rows it leaves out
        total = found.result.total
        more(total - len(found.result.rows[:shown]), total)


def _tell_empty(reading: Reading, wanted: Filters, chosen: Window) -> None:
    """Says why there is nothing: a name that the lake does not know, no calls in the window, or nothing of the kind."""
    if wanted:
        with open_reading(reading.lake) as whole:
            on_sound_files(whole, lambda plan: filters.check_known(plan, wanted))
    plan = plan_of(reading)
    extent = ask(plan, catalog.load("extent"), filters.resolve(plan, wanted), chosen)
    calls = extent.result.records()[0]["calls"]
    if calls:
        say(f"nothing of the kind among {calls:,} calls {chosen.when}")
        return
    narrowed = " for this filter" if wanted else ""
    say(
        f"no calls{narrowed} {chosen.when}",
        f"look further back with --since, or {RECORD}" if chosen.since else RECORD,
    )
