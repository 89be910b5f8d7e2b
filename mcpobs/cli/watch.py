"""`--watch`: asks the same question again and again, and shows the answer in place with what changed."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass, replace

from mcpobs.cli import screen
from mcpobs.cli.report import ReportOptions, check_columns, paper_of
from mcpobs.cli.streams import commit_first, draws_blocks
from mcpobs.errors import EXIT_OK, McpobsError, UsageError
from mcpobs.folders import lake_folder
from mcpobs.output.answer import rows_shown, written
from mcpobs.output.fresh import MARGIN, Fresh, margin
from mcpobs.output.live import change, picture
from mcpobs.output.sparks import over_time
from mcpobs.output.text import printable
from mcpobs.reports.answer import Answer
from mcpobs.reports.ask import ask
from mcpobs.reports.request import Request
from mcpobs.reports.wording import zoned

DEFAULT_S = 2.0
LEAST_S, MOST_S = 0.1, 86_400.0


@dataclass(slots=True)
class _Shown:
    """The answer on the screen, and the answer before it."""

    answer: Answer
    body: list[str]
    before: Answer | None
    calls: tuple[int, int]
    calls_before: tuple[int, int] | None
    asked_unix_nano: int
    took_s: float
    trouble: str = ""


def watch(options: ReportOptions, request: Request) -> int:
    """Shows the report until `q` or Ctrl-C. Raises UsageError if it cannot, before the screen is touched."""
    seconds = _seconds(options.watch or "")
    if sys.stdout is None or not sys.stdout.isatty() or os.environ.get("TERM") == "dumb":
        raise UsageError("--watch needs a terminal", "leave --watch out if the answer goes to a file or a program")
    shown = _first(options, request)
    with screen.screen():
        while True:
            _draw(shown, options, seconds)
            # At most half of the time goes into reading, however large the lake is.
            if "q" in screen.wait(max(seconds, shown.took_s), lambda: _redraw(shown, options, seconds)):
                return EXIT_OK
            _next(shown, options, request)
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


def _ask(options: ReportOptions, request: Request, now: int) -> Answer:
    lake = lake_folder(options.lake)
    commit_first(lake)
    return ask(lake, request, now, explain=False)


def _first(options: ReportOptions, request: Request) -> _Shown:
    asked, started = time.time_ns(), time.monotonic()
    answer = _ask(options, request, asked)
    check_columns(answer, options)
    return _Shown(answer, _body(answer, options, None), None, _calls(answer), None, asked, time.monotonic() - started)


def _next(shown: _Shown, options: ReportOptions, request: Request) -> None:
    """Asks again. An error is shown beside the last answer."""
    asked, started = time.time_ns(), time.monotonic()
    try:
        answer = _ask(options, request, asked)
    except McpobsError as error:
        shown.trouble = error.message
        return
    shown.before, shown.body = shown.answer, _body(answer, options, shown.answer)
    shown.calls_before, shown.calls = shown.calls, _calls(answer)
    shown.answer, shown.asked_unix_nano, shown.took_s = answer, asked, time.monotonic() - started
    shown.trouble = ""


def _redraw(shown: _Shown, options: ReportOptions, seconds: float) -> None:
    """Draws the answer anew, for a terminal of another size."""
    shown.body = _body(shown.answer, options, shown.before)
    _draw(shown, options, seconds)


def _draw(shown: _Shown, options: ReportOptions, seconds: float) -> None:
    screen.draw(picture(_head(shown, options, seconds), shown.body, *screen.size()))


def _head(shown: _Shown, options: ReportOptions, seconds: float) -> list[str]:
    answer = shown.answer
    every = f"every {seconds:g} s"
    if shown.took_s > seconds:
        every = f"as often as it can be read ({shown.took_s:.1f} s)"
    calls, failed = shown.calls
    calls_before, failed_before = shown.calls_before or (None, None)
    counted = f"{change(calls, calls_before, 'calls')}, {change(failed, failed_before, 'failed')} {answer.window.when}"
    head = [
        f"{answer.command}   {zoned(shown.asked_unix_nano)}   {every}   q ends",
        f"{counted}   • marks what is new" if shown.before is not None else counted,
    ]
    if answer.activity is not None and answer.layout != "digest" and draws_blocks():
        head.append(over_time(answer.activity).rstrip("\n"))
    if shown.trouble:
        head.append(printable(f"the last look failed: {shown.trouble}"))
    return [*head, ""]


def _body(answer: Answer, options: ReportOptions, before: Answer | None) -> list[str]:
    shown = rows_shown(answer, "table", options.limit)
    paper = replace(paper_of(answer, options, MARGIN), fresh=Fresh(before))
    nothing = "no matching calls" if answer.activity is not None else "no calls yet"
    return written(answer, "table", shown, paper=paper).splitlines() or [margin(False) + nothing]


def _calls(answer: Answer) -> tuple[int, int]:
    return (0, 0) if answer.activity is None else (sum(answer.activity.calls), sum(answer.activity.failed))
