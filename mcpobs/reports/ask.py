"""Asks a report about a lake: opens it, answers, and names what the answer lacks. Command line and serve ask here."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from pathlib import Path

from mcpobs.folders import config_folder
from mcpobs.lake.reader import Reading, open_reading
from mcpobs.queries.plan import Plan
from mcpobs.queries.run import on_sound_files, plan_of
from mcpobs.reports import early, filters, window
from mcpobs.reports.activity import activity, extent
from mcpobs.reports.answer import Answer
from mcpobs.reports.report import Report, find
from mcpobs.reports.request import Asked, Progress, Request, Unheard
from mcpobs.reports.warnings import Remark, warnings_of
from mcpobs.reports.window import Window
from mcpobs.reports.wording import NOTHING

RECORD = "record calls with `mcpobs instrument -- <server command>`"

Hashing = Callable[[], early.HashName | None]
Open = Callable[[Path, int | None, int | None], AbstractContextManager[Reading]]
"""Opens a lake to read the operations that began in [since, until), in unix nanoseconds."""


def open_between(lake: Path, since: int | None, until: int | None) -> Reading:
    return open_reading(lake, since_unix_nano=since, until_unix_nano=until)


def ask(
    lake: Path,
    request: Request,
    now: int,
    *,
    progress: Progress | None = None,
    explain: bool = True,
    opening: Open = open_between,
) -> Answer:
    """The answer to a request. `now` is the present in unix nanoseconds.

    An empty answer is explained if `explain`, with the calls of the window counted; a tool or server that the lake has
    never seen is then a UsageError.
    """
    report = find(request.report)
    report.check(request)
    chosen = window.given(request.since, request.until, now)
    heard = progress or Unheard()
    with opening(lake, *report.bounds(chosen, request.filters)) as reading:
        heard.follow(reading.connection)
        hashing = partial(early.hash_of, lake, config_folder())
        answer = on_sound_files(reading, lambda plan: _answer(plan, report, request, chosen, now, heard, hashing))
        warnings = warnings_of(reading)
        empty = _explained(reading, answer, request, now) if explain and not answer.result.rows else None
    if empty is not None and request.filters:
        with opening(lake, None, None) as whole:
            on_sound_files(whole, lambda plan: filters.check_known(plan, request.filters))
    if empty is not None and (rule := request.rule) is not None:
        with opening(lake, None, None) as whole:
            on_sound_files(whole, lambda plan: filters.check_rule(plan, rule))
    return replace(answer, warnings=(*answer.warnings, *warnings), empty=empty)


def _answer(
    plan: Plan, report: Report, request: Request, chosen: Window, now: int, heard: Progress, hashing: Hashing
) -> Answer:
    plan = plan.of_run(request.run)
    lacking: tuple[Remark, ...] = ()
    if request.reprice:
        from mcpobs.reports.repricing import repriced  # few reports price calls anew

        plan, lacking = repriced(plan)
    asked = Asked(request, chosen, filters.resolve(plan, request.filters), now, heard.step, hashing)
    answer = replace(report.answer(plan, asked), warnings=lacking)
    if not request.activity or answer.activity is not None:
        return answer
    shown = replace(asked, window=answer.window)
    return replace(answer, activity=activity(plan, shown, extent(plan, shown)))


def _explained(reading: Reading, answer: Answer, request: Request, now: int) -> Remark:
    """Why there are no rows: no calls in the window, or none of the kind."""
    plan = plan_of(reading).of_run(request.run)
    asked = Asked(request, answer.window, filters.resolve(plan, request.filters), now)
    calls = extent(plan, asked)["calls"]
    if calls:
        return Remark(f"{NOTHING} among {calls:,} calls {answer.window.when}")
    narrowed = " for this filter" if request.filters or request.run is not None else ""
    further = f"look further back with --since, or {RECORD}" if answer.window.since else RECORD
    return Remark(f"no calls{narrowed} {answer.window.when}", further)
