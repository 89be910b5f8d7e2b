"""`--watch`: asks the same question again and again, and shows the answer in place with what changed."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass

from mcpobs.cli import screen
from mcpobs.cli.printing import draws_blocks
from mcpobs.cli.report import ReportOptions, look
from mcpobs.errors import EXIT_OK, McpobsError, UsageError
from mcpobs.output.answer import over_time, rows_shown, written
from mcpobs.output.live import MARGIN, change, picture
from mcpobs.output.text import printable
from mcpobs.output.units import moment
from mcpobs.reports.ask import ALL, Found

DEFAULT_S = 2.0
LEAST_S, MOST_S = 0.1, 86_400.0

_SPARKS = 48


@dataclass(slots=True)
class _Shown:
    """What the screen shows, and what it showed before that."""

    found: Found
    body: list[str]
    before: list[str] | None
    calls: tuple[int, int]
    calls_before: tuple[int, int] | None
    asked_unix_nano: int
    took_s: float
    trouble: str = ""


def watch(options: ReportOptions) -> int:
    """Shows the report until `q` or Ctrl-C. Raises UsageError where it cannot, before the screen is touched."""
    seconds = _seconds(options.watch or "")
    if not sys.stdout.isatty() or os.environ.get("TERM") == "dumb":
        raise UsageError("--watch needs a terminal", "leave --watch out where the answer goes to a file or a program")
    shown = _first(options)
    with screen.screen():
        while True:
            _draw(shown, options, seconds)
            # At most half of the time goes into reading, however large the lake is.
            if "q" in screen.wait(max(seconds, shown.took_s), lambda: _redraw(shown, options, seconds)):
                return EXIT_OK
            _next(shown, options)
    return EXIT_OK


def _seconds(given: str) -> float:
    if not given:
        return DEFAULT_S
    try:
        seconds = float(given)
    except ValueError:
        seconds = -1
    if not LEAST_S <= seconds <= MOST_S:
        raise UsageError(f"--watch {given!r} is no number of seconds", f"write e.g. 0.5 or 10; at least {LEAST_S}")
    return seconds


def _first(options: ReportOptions) -> _Shown:
    asked, started = time.time_ns(), time.monotonic()
    found, _ = look(options, asked)
    return _Shown(found, _body(found, options), None, _calls(found), None, asked, time.monotonic() - started)


def _next(shown: _Shown, options: ReportOptions) -> None:
    """Asks again. What goes wrong is told on the screen, where the last answer stays."""
    asked, started = time.time_ns(), time.monotonic()
    try:
        found, _ = look(options, asked)
    except McpobsError as error:
        shown.trouble = error.message
        return
    shown.before, shown.body = shown.body, _body(found, options)
    shown.calls_before, shown.calls = shown.calls, _calls(found)
    shown.found, shown.asked_unix_nano, shown.took_s = found, asked, time.monotonic() - started
    shown.trouble = ""


def _redraw(shown: _Shown, options: ReportOptions, seconds: float) -> None:
    """For a terminal of another size."""
    shown.body = _body(shown.found, options)
    _draw(shown, options, seconds)


def _draw(shown: _Shown, options: ReportOptions, seconds: float) -> None:
    screen.draw(picture(_head(shown, options, seconds), shown.body, shown.before, *screen.size()))


def _head(shown: _Shown, options: ReportOptions, seconds: float) -> list[str]:
    found = shown.found
    name = "--p95" if found.report == "p95" else found.report if options.name else ""
    every = f"every {seconds:g} s"
    if shown.took_s > seconds:
        every = f"as often as it can be read ({shown.took_s:.1f} s)"
    calls, failed = shown.calls
    calls_before, failed_before = shown.calls_before or (None, None)
    told = f"{change(calls, calls_before, 'calls')}, {change(failed, failed_before, 'failed')} {found.window.when}"
    head = [
        f"mcpobs report {name}".rstrip() + f"   {moment(shown.asked_unix_nano)} UTC   {every}   q ends",
        f"{told}   • marks what is new" if shown.before is not None else told,
    ]
    if found.activity is not None and found.report != ALL and draws_blocks():
        head.append(over_time(found.activity, _SPARKS).rstrip("\n"))
    if shown.trouble:
        head.append(printable(f"the last look failed: {shown.trouble}"))
    return [*head, ""]


def _body(found: Found, options: ReportOptions) -> list[str]:
    text = written(found, "table", rows_shown(found, "table", options.limit), [], bars=options.bars, margin=MARGIN)
    return text.splitlines() or ["nothing of the kind" if found.activity is not None else "no calls yet"]


def _calls(found: Found) -> tuple[int, int]:
    return (0, 0) if found.activity is None else (sum(found.activity.calls), sum(found.activity.failed))
