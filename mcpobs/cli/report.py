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
from mcpobs.output.formats import DEFAULT_ROWS, Format
from mcpobs.reports.answer import Answer
from mcpobs.reports.ask import ask
from mcpobs.reports.filters import Filters
from mcpobs.reports.request import OVERVIEW, Request

STDOUT = "-"
_P95, _ALL = "p95", "all"


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
    lake: str | None = None
    raw: bool = False


def run_report(options: ReportOptions, now: int | None = None) -> int:
    """Asks a report and prints the answer; returns the exit code. `now` is the present in unix nanoseconds."""
    form = chosen_format(options.format, options.json, options.raw)
    check_limit(options.limit)
    _check_forms(options)
    request = request_of(options)
    if options.watch is not None:
        from mcpobs.cli.watch import watch

        return watch(options, request)
    now = time.time_ns() if now is None else now
    answer = answered(options, request, now)
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


def _print(answer: Answer, form: Format, options: ReportOptions) -> None:
    shown = rows_shown(answer, form, options.limit)
    emit(written(answer, form, shown, paper=paper(bars=options.bars), raw=options.raw))
    if answer.layout != "digest":  # each of its tables says itself how many rows it leaves out
        total = answer.result.total
        more(total - len(answer.result.rows[:shown]), total)


def _write_page(answer: Answer, options: ReportOptions, now: int) -> None:
    """Writes the page to the file; without a name to stdout, or if that is a terminal, to one named by the report."""
    from mcpobs.output.page.answer import page

    text = page(answer, Filters(options.tool, options.session, options.server), options.limit, now)
    if options.html == STDOUT or (not options.html and not on_terminal()):
        emit(text)
        return
    path = Path(options.html or f"mcpobs-{answer.report}.html")
    _write(path, text)
    say(f"wrote {path} ({len(text.encode()) / 1000:,.0f} kB)")


def _write(path: Path, text: str) -> None:
    """A new file is the owner's only, as the lake is: names of sessions and tools are in it."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as opened:
            opened.write(text)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}", "name another file: --html FILE") from None
