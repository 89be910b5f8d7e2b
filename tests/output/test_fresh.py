"""What a live view marks as new: rows and sentences that say something else than before, in whatever layout."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mcpobs.output.answer import written
from mcpobs.output.formats import Paper
from mcpobs.output.fresh import MARGIN, MARK, Fresh
from mcpobs.output.text import width
from mcpobs.queries.header import Column
from mcpobs.queries.run import Result
from mcpobs.reports.answer import SENTENCES, Answer
from mcpobs.reports.chart import Chart
from mcpobs.reports.window import EVERYTHING

COLUMNS = (
    Column("tool", "varchar"),
    Column("calls", "bigint"),
    Column("share_ratio", "double"),
    Column("why", "varchar"),
    Column("before_2", "varchar"),
    Column("before_1", "varchar"),
)
WHY = "calls and failures and costs are far above those of the others"
ROWS: list[tuple[object, ...]] = [
    ("a", 1, 0.5, WHY, "x", "y"),
    ("b", 1, 0.5, WHY, None, "y"),
    ("c", 9, 0.1, None, "z", "z"),
]


def _answer(
    rows: list[tuple[object, ...]], sentence: str = "two tools are called more than all others together"
) -> Answer:
    result = Result(COLUMNS, rows, len(rows))
    return Answer("r", "", sentence, EVERYTHING, result, "mcpobs report r", chart=Chart("bar", "tool", ("calls",)))


def _marked(now: Answer, before: Answer | None, cells: int | None = 78, *, colour: bool = False) -> list[str]:
    """The words of each marked line's first cell."""
    paper = Paper(cells, colour, blocks=True, fresh=Fresh(before))
    lines = [line for line in written(now, "table", None, paper=paper).splitlines() if line]
    assert all(line[:MARGIN] in (f"{MARK} ", "  ") for line in lines)
    if cells is not None and not colour:
        assert all(width(line) <= cells + MARGIN for line in lines)
    return [line[MARGIN:].split()[0 if cells != 20 else 1] for line in lines if line.startswith(MARK)]


CHANGES: dict[str, tuple[list[tuple[object, ...]], list[str]]] = {
    "nothing": (ROWS, []),
    "a number": ([ROWS[0], ("b", 2, 0.5, WHY, None, "y"), ROWS[2]], ["b"]),
    "a number that widens its column": ([ROWS[0], ("b", 1_000_000, 0.5, WHY, None, "y"), ROWS[2]], ["b"]),
    "a text that wraps otherwise": ([("a", 1, 0.5, f"{WHY}, {WHY}, {WHY}", "x", "y"), *ROWS[1:]], ["a"]),
    "the order": (ROWS[::-1], []),
    "shares only": ([(*row[:2], 0.123, *row[3:]) for row in ROWS], []),
    "what came before": ([("a", 1, 0.5, WHY, "w", "y"), *ROWS[1:]], ["a"]),
    "a second row like another": ([*ROWS, ROWS[0]], ["a"]),
    "a row is gone": (ROWS[1:], []),
    "a value that another row had": ([ROWS[0], ("b", 9, 0.5, WHY, None, "y"), ROWS[2]], ["b"]),
}


@pytest.mark.parametrize("cells", [78, 118, 198, 20, None])
@pytest.mark.parametrize("change", CHANGES)
def test_only_rows_that_say_something_else_are_marked(change: str, cells: int | None) -> None:
    rows, marked = CHANGES[change]
    assert _marked(_answer(rows), _answer(ROWS), cells) == marked


def test_nothing_is_marked_in_the_first_picture() -> None:
    assert _marked(_answer(ROWS), None) == []


def test_a_sentence_is_marked_once_and_not_by_another_width() -> None:
    assert _marked(_answer(ROWS, "now there are three"), _answer(ROWS), 40) == ["now"]
    assert _marked(_answer(ROWS), _answer(ROWS), 30) == []


def test_colours_are_not_news() -> None:
    assert _marked(_answer(ROWS), _answer(ROWS), colour=True) == []


def test_a_ranking_marks_a_row_in_either_table() -> None:
    columns = (*COLUMNS[:2], Column("ranked", "boolean"))

    def ranking(*rows: tuple[object, ...]) -> Answer:
        found = Result(columns, list(rows), len(rows))
        return replace(_answer([]), result=found, layout="ranking", min_calls=2)

    before = ranking(("a", 5, True), ("b", 1, False), ("c", 1, False))
    assert _marked(ranking(("a", 6, True), ("b", 1, False), ("c", 1, False)), before) == ["a"]
    assert _marked(ranking(("a", 5, True), ("b", 1, False), ("d", 1, False)), before) == ["d"]


def test_a_digest_marks_the_answer_and_the_row_that_changed() -> None:
    def digest(calls: int) -> Answer:
        part = replace(_answer([("a", calls, 0.5, None, None, None), *ROWS[1:]]), question="Which?")
        other = replace(_answer([]), report="other")
        rows: list[tuple[object, ...]] = [("which", f"a: {calls} calls", "m"), ("what", "nothing", "m")]
        return Answer("all", "", "calls", EVERYTHING, Result(SENTENCES, rows, 2), "", "digest", parts=(part, other))

    assert _marked(digest(2), digest(1)) == ["which", "a"]
    assert _marked(digest(1), digest(1)) == []


def test_sentences_mark_the_answer_and_not_its_question() -> None:
    def said(answer: str) -> Answer:
        rows: list[tuple[object, ...]] = [("Which?", answer, "m"), ("What?", "nothing", "m")]
        return Answer("overview", "", None, EVERYTHING, Result(SENTENCES, rows, 2), "", "sentences")

    assert _marked(said("that one"), said("none")) == ["that"]
