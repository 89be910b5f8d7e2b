"""`mcpobs report`, behind its options: asks, prints the answer. Imports no typer (100 ms): the argv fast path calls it.

stdout gets the answer, stderr everything else.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, replace
from pathlib import Path

from mcpobs.cli.elsewhere import hint_of, naming_another, other_lake
from mcpobs.cli.progress import progress
from mcpobs.cli.streams import (
    check_limit,
    chosen_format,
    commit_first,
    emit,
    more,
    on_terminal,
    paper,
    remark,
    say,
    warn,
)
from mcpobs.errors import EXIT_OK, UsageError
from mcpobs.folders import lake_folder
from mcpobs.output.answer import rows_shown, written
from mcpobs.output.formats import DEFAULT_ROWS, Format, Paper
from mcpobs.reports.answer import Answer
from mcpobs.reports.ask import ask
from mcpobs.reports.filters import Filters
from mcpobs.reports.request import OVERVIEW, Request
from mcpobs.reports.session import Timeline
from mcpobs.reports.window import in_zone
from mcpobs.reports.zone import UTC_ZONE, shown_in, zone_of

STDOUT = "-"
_P95, _ALL = "p95", "all"


FOLDED = 1_000_000
"""Characters of an answer of which a terminal gets only the first rows: nobody reads so much."""


@dataclass(frozen=True, slots=True)
class ReportOptions:
    """The options of `mcpobs report`, named as they are on the command line.

    `html` and `watch` are None if they are not given and empty if they have no value.
    """

    name: str | None = None
    p95: bool = False
    since: str | None = None
    until: str | None = None
    tool: str | None = None
    session: str | None = None
    server: str | None = None
    run: str | None = None
    limit: int | None = None
    min_calls: int | None = None
    min_repeats: int | None = None
    format: str | None = None
    json: bool = False
    bars: bool = False
    html: str | None = None
    watch: str | None = None
    by: str | None = None
    code: str | None = None
    rule: str | None = None
    reprice: bool = False
    exact: bool = False
    group: bool = False
    lake: str | None = None
    raw: bool = False
    wide: bool = False
    columns: str | None = None
    tz: str | None = None


def run_report(options: ReportOptions, now: int | None = None) -> int:
    """Asks a report and prints the answer; returns the exit code. `now` is the present in unix nanoseconds."""
    form = chosen_format(options.format, options.json, options.raw)
    check_limit(options.limit)
    check_limit(options.min_calls, "--min-calls")
    _check_forms(options)
    zone = zone_of(options.tz, os.environ)
    options = replace(options, since=in_zone(options.since, zone), until=in_zone(options.until, zone))
    is_for_people = options.html is not None or form in ("table", "markdown")
    with shown_in(zone if is_for_people else UTC_ZONE):
        return _run(options, form, now)


def _run(options: ReportOptions, form: Format, now: int | None) -> int:
    request = request_of(options)
    if options.watch is not None:
        from mcpobs.cli.watch import watch

        return watch(options, request)
    now = time.time_ns() if now is None else now
    answer = answered(options, request, now)
    check_columns(answer, options)
    if options.html is not None:
        _write_page(answer, options, now)
    else:
        _print(answer, form, options)
    return EXIT_OK


def answered(options: ReportOptions, request: Request, now: int) -> Answer:
    """The answer to the request. Warnings, and why there is nothing, go to stderr first."""
    lake = lake_folder(options.lake)
    with naming_another(lake), progress() as showing:
        commit_first(lake)
        answer = ask(lake, request, now, progress=showing)
    warn(answer.warnings)
    if answer.empty is not None:
        other = other_lake(lake) if answer.empty.text.startswith("no calls") and not request.filters else None
        remark(answer.empty if other is None else replace(answer.empty, hint=hint_of(other)))
    return answer


def request_of(options: ReportOptions) -> Request:
    """The request that the options make. A page of five sentences would be empty, so a page is that of all reports."""
    if options.p95 and options.name is not None:
        raise UsageError(f"--p95 is a report of its own and does not go with {options.name!r}", "leave one of them out")
    return Request(
        report=_P95 if options.p95 else options.name or (OVERVIEW if options.html is None else _ALL),
        since=options.since,
        until=options.until,
        filters=Filters(options.tool, options.session, options.server),
        run=options.run,
        rows=_most_rows(options),
        min_calls=options.min_calls,
        min_repeats=options.min_repeats,
        by=options.by,
        code=options.code,
        rule=options.rule,
        reprice=options.reprice,
        exact=options.exact,
        group=options.group,
        activity=options.watch is not None,
    )


def _most_rows(options: ReportOptions) -> int | None:
    """How many rows of a long report are shown at all: a hundred million calls have more failures than memory."""
    if options.html is not None:
        from mcpobs.output.page.answer import ALL_ROWS

        return max(ALL_ROWS, options.limit or 0)
    whole = options.limit is None and chosen_format(options.format, options.json) in ("json", "csv", "markdown")
    return None if whole else max(DEFAULT_ROWS, options.limit or 0)


def _check_forms(options: ReportOptions) -> None:
    """An answer has one form."""
    named = {"--html": options.html is not None, "--watch": options.watch is not None, "--json": options.json}
    named |= {f"--format {options.format}": options.format is not None and not options.json}
    chosen = [name for name, is_given in named.items() if is_given]
    if len(chosen) > 1:
        raise UsageError(f"{chosen[0]} and {chosen[1]} exclude each other", "leave one of them out")
    form = "json" if options.json else options.format or "table"
    for name, is_given in (("--wide", options.wide), ("--columns", options.columns is not None)):
        if is_given and (form != "table" or options.html is not None):
            raise UsageError(f"{name} is for tables: every other form has all columns", f"leave {name} out")
    if options.wide and options.columns is not None:
        raise UsageError("--wide and --columns exclude each other", "leave one of them out")
    if options.columns is not None and not _listed(options):
        raise UsageError("--columns names no column", "mcpobs report sessions --columns session_id,calls")


def check_columns(answer: Answer, options: ReportOptions) -> None:
    """Raises UsageError if --columns names columns that the answer does not have."""
    if options.columns is None:
        return
    if answer.layout in ("sentences", "digest"):
        raise UsageError("--columns is for one report", "mcpobs report sessions --columns session_id,calls")
    from mcpobs.output.groups import chosen  # few command lines have it

    chosen(answer.result.columns, _listed(options))


def paper_of(answer: Answer, options: ReportOptions, margin: int = 0) -> Paper:
    """Describes stdout, with the columns that the options ask for."""
    on = paper(bars=options.bars, margin=margin)
    if options.columns is None:
        return replace(on, wide=options.wide)
    from mcpobs.output.groups import chosen

    return replace(on, wide=options.wide, columns=chosen(answer.result.columns, _listed(options)))


def _listed(options: ReportOptions) -> list[str]:
    return [name for name in (options.columns or "").split(",") if name.strip()]


def _print(answer: Answer, form: Format, options: ReportOptions) -> None:
    on, shown = paper_of(answer, options), rows_shown(answer, form, options.limit)
    text = written(answer, form, shown, paper=on, raw=options.raw)
    if options.limit is None and len(text) > FOLDED and on_terminal():
        emit(written(answer, form, DEFAULT_ROWS, paper=on, raw=options.raw))
        _say_folded(answer, form, len(text))
        return
    emit(text)
    if answer.layout != "digest":  # each of its tables says itself how many rows it leaves out
        total = answer.result.total
        more(total - len(answer.result.rows[:shown]), total)


def _say_folded(answer: Answer, form: Format, characters: int) -> None:
    say(
        f"a terminal gets at most {DEFAULT_ROWS} rows of each table: all of them take {characters / 1e6:,.1f} MB",
        f"{answer.command} --format {form} > FILE has all, and so does a pipe; --limit chooses how many",
    )


def _write_page(answer: Answer, options: ReportOptions, now: int) -> None:
    """Writes the page to the file; without a name to stdout, or if that is a terminal, to one named by the report."""
    from mcpobs.output.page.answer import page

    filters = Filters(options.tool, options.session, options.server)
    text = page(answer, filters, options.limit, now, _timelines(answer, options))
    if options.html == STDOUT or (not options.html and not on_terminal()):
        emit(text)
        return
    path = Path(options.html or f"mcpobs-{answer.report}.html")
    _write(path, text)
    say(f"wrote {path} ({len(text.encode()) / 1000:,.0f} kB)")


def _timelines(answer: Answer, options: ReportOptions) -> list[Timeline]:
    """The timelines of the sessions that the answer names first."""
    from mcpobs.lake.reader import open_reading
    from mcpobs.queries.run import on_sound_files
    from mcpobs.reports.named_sessions import sessions_named, timelines

    if not sessions_named(answer):
        return []
    with open_reading(lake_folder(options.lake)) as reading:
        return on_sound_files(reading, lambda plan: timelines(plan.of_run(options.run), answer))


def _write(path: Path, text: str) -> None:
    """A new file is the owner's only, as the lake is: names of sessions and tools are in it."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as opened:
            opened.write(text)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}", "name another file: --html FILE") from None
