"""A report's answer as an HTML page."""

from __future__ import annotations

from collections.abc import Sequence

from mcpobs import __version__
from mcpobs.output.page.document import Page, Section, render
from mcpobs.reports.answer import Answer
from mcpobs.reports.filters import Filters
from mcpobs.reports.session import Timeline
from mcpobs.reports.wording import zoned

TOP_ROWS, ALL_ROWS = 10, 1000
"""Rows of a table on the page of a digest, and on that of one report, if --limit does not say."""


def page(answer: Answer, filters: Filters, limit: int | None, now: int, timelines: Sequence[Timeline] = ()) -> str:
    """The file, with at most `limit` rows of each table, and the timelines below them."""
    if limit is None:
        limit = TOP_ROWS if answer.layout == "digest" else ALL_ROWS
    return render(_page(answer, filters, now, timelines), limit)


def _page(answer: Answer, filters: Filters, now: int, timelines: Sequence[Timeline]) -> Page:
    narrowed = [f"{word} {value}" for word, value in filters.params().items() if value is not None]
    return Page(
        title=answer.question,
        answer=answer.sentence,
        facts=(f"Calls {answer.window.when}" + (f"; only {', '.join(narrowed)}" if narrowed else ""),),
        sections=_parts(answer) if answer.layout == "digest" else (_alone(answer),),
        made=f"Made by mcpobs {__version__} at {zoned(now)}. Names of tools, servers, clients and sessions are "
        "what the peers said.",
        activity=answer.activity,
        warnings=[warning.text for warning in answer.warnings],
        timelines=timelines,
    )


def _parts(answer: Answer) -> tuple[Section, ...]:
    return tuple(
        Section(part.report, str(short), part.question, str(sentence), part.result, part.chart, str(more), part.answers)
        for part, (short, sentence, more) in zip(answer.parts, answer.result.rows, strict=True)
    )


def _alone(answer: Answer) -> Section:
    more = f"{answer.command} --limit {answer.result.total}"
    question = answer.question
    return Section(
        answer.report, question, question, answer.sentence, answer.result, answer.chart, more, answer.answers
    )
