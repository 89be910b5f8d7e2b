"""A report's answer as an HTML file: what is on the page, and where it is written."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from mcpobs import __version__
from mcpobs.cli.printing import emit, say
from mcpobs.errors import UsageError
from mcpobs.output.page.document import Page, Section, render
from mcpobs.output.units import moment
from mcpobs.reports.ask import ALL, Found
from mcpobs.reports.filters import Filters

TOP_ROWS, ALL_ROWS = 10, 1000
"""Rows of a table on the page of `all`, and on that of one report, where --limit does not say."""

STDOUT = "-"


def write_page(found: Found, wanted: Filters, limit: int | None, file: str, warnings: list[str], now: int) -> None:
    """Writes the page to the file; without a name to stdout, or where that is a terminal, to one named by the
    report."""
    if limit is None:
        limit = TOP_ROWS if found.report == ALL else ALL_ROWS
    text = render(page_of(found, wanted, warnings, now), limit)
    if file == STDOUT or (not file and not sys.stdout.isatty()):
        emit(text)
        return
    path = Path(file or f"mcpobs-{found.report}.html")
    _write(path, text)
    say(f"wrote {path} ({len(text.encode()) / 1000:,.0f} kB)")


def page_of(found: Found, wanted: Filters, warnings: list[str], now: int) -> Page:
    """The page of a report, or of all."""
    given = {"tool": wanted.tool, "session": wanted.session, "server": wanted.server}
    narrowed = [f"{word} {value}" for word, value in given.items() if value is not None]
    if found.report == ALL:
        sections = tuple(
            Section(part.report, str(short), part.question, str(answer), part.result, part.chart, str(more))
            for part, (short, answer, more) in zip(found.parts, found.result.rows, strict=True)
        )
    else:
        name = "--p95" if found.report == "p95" else found.report
        more = f"mcpobs report {name} --limit {found.result.total}"
        sections = (
            Section(found.report, found.question, found.question, found.answer, found.result, found.chart, more),
        )
    return Page(
        title=found.question,
        answer=found.answer,
        facts=(f"Calls {found.window.when}" + (f"; only {', '.join(narrowed)}" if narrowed else ""),),
        sections=sections,
        made=f"Made by mcpobs {__version__} at {moment(now)} UTC. Names of tools, servers, clients and sessions are "
        "what the peers said.",
        activity=found.activity,
        warnings=warnings,
    )


def _write(path: Path, text: str) -> None:
    """A new file is the owner's only, as the lake is: names of sessions and tools are in it."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as opened:
            opened.write(text)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}", "name another file: --html FILE") from None
