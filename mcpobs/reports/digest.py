"""Reports that answer with sentences about other reports, and how much was recorded."""

from __future__ import annotations

from dataclasses import replace

from mcpobs.queries import catalog
from mcpobs.queries.header import Query
from mcpobs.queries.run import Result
from mcpobs.reports.answer import SENTENCES, Answer
from mcpobs.reports.report import Report
from mcpobs.reports.request import Asked
from mcpobs.reports.wording import Record, count, moment


class Digest(Report):
    """Sentences about several reports. They look at calls before the window too."""

    question = "What is going on?"
    looks_back = True
    takes_min_calls = True
    compares = False

    @classmethod
    def query_of(cls, name: str) -> Query:
        return catalog.load("extent")

    def written(self, asked: Asked, extent: Record, rows: list[tuple[object, ...]]) -> Answer:
        """The answer with these rows of sentences."""
        sentence = extent_words(extent) if rows else None
        return self.answered(asked.window, Result(SENTENCES, rows, len(rows)), sentence)


def extent_words(extent: Record) -> str:
    """How much was recorded, and from when to when."""
    return (
        f"{count(extent['calls'], 'tool call')} in {count(extent['sessions'], 'session')}, "
        f"{moment(extent['first_unix_nano'])} to {moment(extent['last_unix_nano'])} UTC"
    )


def alone(asked: Asked, rows: int | None = None) -> Asked:
    """The same question without the options of a single report, and with at most so many rows."""
    request = asked.request
    return replace(
        asked,
        request=replace(
            request, rows=rows, min_calls=None, min_repeats=None, by=None, code=None, rule=None, exact=False
        ),
    )
