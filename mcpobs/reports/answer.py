"""The answer to a question, before it is rendered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mcpobs.queries.header import Column
from mcpobs.queries.run import Result
from mcpobs.reports.activity import Activity
from mcpobs.reports.chart import Chart
from mcpobs.reports.warnings import Remark
from mcpobs.reports.window import Window

Layout = Literal["rows", "ranking", "sentences", "digest"]
"""How an answer is laid out for people: a table · a table of what is ranked and one of what is not · a sentence for
each of its rows · sentences and the parts that they are about."""

SENTENCES = (
    Column("question", "varchar", "what an operator wants to know"),
    Column("answer", "varchar", "the answer in a sentence"),
    Column("more", "varchar", "the command that shows more"),
)
"""The columns of an answer that consists of sentences."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer of a report. `total` of the result counts all rows; the result holds as many as were asked for.

    `answers` names the columns that answer the question. `command` asks for it again. `empty` explains an answer
    without rows. A digest has its reports as `parts`, a row of sentences for each of them.
    """

    report: str
    question: str
    sentence: str | None
    window: Window
    result: Result
    command: str
    layout: Layout = "rows"
    min_calls: int | None = None
    chart: Chart | None = None
    parts: tuple[Answer, ...] = ()
    activity: Activity | None = None
    warnings: tuple[Remark, ...] = ()
    empty: Remark | None = None
    answers: tuple[str, ...] = ()
