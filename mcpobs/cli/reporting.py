"""`mcpobs report`, behind its options: opens the lake, runs the query, prints the answer.

Imports no typer (100 ms), for the fast door comes here directly. stdout gets the answer, stderr everything else.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from mcpobs.cli.printing import (
    DEFAULT_ROWS,
    Format,
    check_limit,
    chosen_format,
    commit_first,
    emit,
    more,
    say,
    table,
    warn_of_damage,
)
from mcpobs.errors import EXIT_OK, UsageError
from mcpobs.lake.engine import Connection
from mcpobs.lake.reader import Reading, open_reading
from mcpobs.output import answers, csv_text, json_text, markdown
from mcpobs.queries import catalog, filters, ranking, window
from mcpobs.queries.filters import Filters
from mcpobs.queries.header import Column, Query, Value
from mcpobs.queries.run import Result, on_sound_files, run
from mcpobs.queries.window import Window
from mcpobs.settings import lake_folder

RECORD = "record calls with `mcpobs instrument -- <server command>`"
OVERVIEW = (Column("question", "varchar"), Column("answer", "varchar"), Column("more", "varchar"))


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


@dataclass(frozen=True, slots=True)
class Found:
    """A report's answer before it is written down. `answer` is its sentence, where it has one."""

    report: str
    question: str
    answer: str | None
    window: Window
    result: Result
    min_calls: int | None = None


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
                return _report(connection, query, resolved, chosen, options.min_calls)
            if options.p95:
                return _p95(connection, resolved, chosen, now, options.min_calls)
            return _overview(connection, resolved, chosen or window.EVERYTHING, now, options.min_calls)

        found = on_sound_files(reading, work)
        warnings = warn_of_damage(reading)
        if not found.result.rows:
            _tell_empty(reading, wanted, found.window)
    _print(found, form, options.limit, warnings)
    return EXIT_OK


def _query(options: ReportOptions) -> Query | None:
    if options.p95 and options.name is not None:
        raise UsageError(f"--p95 is a report of its own and does not go with {options.name!r}", "leave one of them out")
    if options.name is None:
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


def _report(
    connection: Connection, query: Query, wanted: Filters, chosen: Window, min_calls: int | None = None
) -> Found:
    given: dict[str, Value] = {"since": chosen.since, "until": chosen.until, **wanted.params()}
    if min_calls is not None:
        given["min_calls"] = min_calls
    result = run(connection, query, given)
    answer = answers.session_rules(result) if query.name == "sessions" and result.rows else None
    return Found(query.name, query.question, answer, chosen, result)


def _p95(connection: Connection, wanted: Filters, chosen: Window | None, now: int, min_calls: int | None) -> Found:
    least = ranking.MIN_CALLS if min_calls is None else min_calls
    found = ranking.rank(connection, wanted, chosen, now, least)
    question = "Which tool has the highest p95 right now?"
    return Found("p95", question, answers.highest_p95(found), found.window, found.result, least)


def _overview(connection: Connection, wanted: Filters, chosen: Window, now: int, min_calls: int | None) -> Found:
    def answered(name: str) -> Result:
        return _report(connection, catalog.load(name), wanted, chosen).result

    extent = answered("extent").records()[0]
    newest = None if chosen == window.EVERYTHING else chosen
    rows: list[tuple[object, ...]] = []
    if extent["calls"]:
        slow = _p95(connection, wanted, newest, now, min_calls)
        rows = [
            ("Which tool is slow?", slow.answer, "mcpobs report --p95"),
            ("Is an agent in a loop?", answers.loops(answered("loops")), "mcpobs report loops"),
            ("Which sessions call too much?", answers.sessions(answered("sessions")), "mcpobs report sessions"),
            (
                "What fails, after what?",
                answers.failures(answered("failures"), extent["calls"]),
                "mcpobs report failures",
            ),
            ("Is any input unusual?", answers.shapes(answered("shapes")), "mcpobs report shapes"),
        ]
    result = Result(OVERVIEW, rows, len(rows))
    return Found("overview", "What is going on?", answers.extent(extent) if rows else None, chosen, result)


def _print(found: Found, form: Format, limit: int | None, warnings: list[str]) -> None:
    if limit is None and form == "table":
        limit = DEFAULT_ROWS
    columns, rows, total = found.result.columns, found.result.rows[:limit], found.result.total
    match form:
        case "json":
            emit(json_text.render(_document(found, rows, warnings)))
        case "csv":
            emit(csv_text.render(columns, rows))
        case "markdown":
            lead = f"{markdown.escaped(found.answer)}\n\n" if found.answer else ""
            emit(lead + markdown.render(columns, rows))
        case "table":
            emit(_table(found, rows))
    more(total - len(rows), total)


def _table(found: Found, rows: list[tuple[object, ...]]) -> str:
    lead = f"{found.answer}\n" if found.answer else ""
    columns = found.result.columns
    if found.report == "overview":
        return lead + "".join(f"\n{question}\n  {answer}\n  more: {more}\n" for question, answer, more in rows)
    if found.report != "p95":
        return (f"{lead}\n" if lead else "") + table(columns, rows) if rows else ""
    ranked = [row[:-1] for row in rows if row[-1]]
    too_few = [row[:-1] for row in rows if not row[-1]]
    if ranked:
        lead += "\n" + table(columns[:-1], ranked)
    if too_few:
        lead += f"\ntoo few calls to rank (under {found.min_calls:,}):\n" + table(columns[:-1], too_few)
    return lead


def _document(found: Found, rows: list[tuple[object, ...]], warnings: list[str]) -> dict[str, object]:
    """A report's JSON. Its form is a contract: members are added, never renamed or taken away."""
    return {
        "report": found.report,
        "question": found.question,
        **({} if found.answer is None else {"answer": found.answer}),
        "window": {
            "since_unix_nano": found.window.since or None,
            "until_unix_nano": None if found.window.until == window.FOREVER else found.window.until,
            "words": found.window.words,
        },
        **({} if found.min_calls is None else {"min_calls": found.min_calls}),
        **json_text.document(found.result.columns, rows),
        "total": found.result.total,
        "warnings": warnings,
    }


def _tell_empty(reading: Reading, wanted: Filters, chosen: Window) -> None:
    """Says why there is nothing: a name that the lake does not know, no calls in the window, or nothing of the kind."""
    if wanted:
        with open_reading(reading.lake) as whole:
            on_sound_files(whole, lambda connection: filters.check_known(connection, wanted))
    extent = _report(reading.connection, catalog.load("extent"), filters.resolve(reading.connection, wanted), chosen)
    calls = extent.result.records()[0]["calls"]
    if calls:
        say(f"nothing of the kind among {calls:,} calls {chosen.when}")
        return
    narrowed = " for this filter" if wanted else ""
    say(
        f"no calls{narrowed} {chosen.when}",
        f"look further back with --since, or {RECORD}" if chosen.since else RECORD,
    )
