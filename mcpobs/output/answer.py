"""A report's answer as the text of each format. Prints nothing."""

from __future__ import annotations

from mcpobs.output import csv_text, json_text, markdown, table
from mcpobs.output.fit import lines_of
from mcpobs.output.formats import DEFAULT_ROWS, Format, Paper
from mcpobs.queries.header import Column
from mcpobs.queries.run import Row
from mcpobs.reports.activity import Activity
from mcpobs.reports.answer import Answer
from mcpobs.reports.chart import Chart
from mcpobs.reports.window import FOREVER, Window

TOP_ROWS = 5
"""Rows of each part of a digest if --limit does not say."""

_LEAST_CELLS = 24  # a sentence in less room than that cannot be read
_LONG = tuple(Column(name, "varchar") for name in ("report", "row", "column", "value"))
"""A digest as CSV: one file cannot hold several tables, so each value has a line."""


def written(answer: Answer, form: Format, limit: int | None, *, paper: Paper | None = None, raw: bool = False) -> str:
    """The answer, of each table at most `limit` rows."""
    columns, rows = answer.result.columns, answer.result.rows[:limit]
    is_digest = answer.layout == "digest"
    match form:
        case "json":
            return json_text.render(document(answer, limit))
        case "csv" if is_digest:
            return csv_text.render(_LONG, _long(answer, limit), raw=raw)
        case "csv":
            return csv_text.render(columns, rows, raw=raw)
        case "markdown" if is_digest:
            return _sections_in_markdown(answer, limit)
        case "markdown":
            lead = f"{markdown.escaped(answer.sentence)}\n\n" if answer.sentence else ""
            return lead + markdown.render(columns, rows)
        case "table":
            return _for_people(answer, rows, limit, paper or Paper())


def rows_shown(answer: Answer, form: Format, limit: int | None) -> int | None:
    """How many rows of a table are written: few of a table if --limit does not say, all in other formats."""
    if limit is not None:
        return limit
    if answer.layout == "digest":
        return TOP_ROWS if form in ("table", "markdown") else None
    return DEFAULT_ROWS if form == "table" else None


def _for_people(answer: Answer, rows: list[Row], limit: int | None, paper: Paper) -> str:
    lead = f"{answer.sentence}\n" if answer.sentence else ""
    match answer.layout:
        case "sentences":
            return lead + "".join(f"\n{question}\n  {sentence}\n  more: {more}\n" for question, sentence, more in rows)
        case "digest":
            return lead + _sections(answer, limit, paper)
        case "ranking":
            return lead + _ranking(answer, rows, paper)
        case "rows":
            space = "\n" if lead else ""
            return f"{lead}{space}{_drawn(answer.result.columns, rows, paper, answer.chart)}" if rows else lead


def _drawn(columns: tuple[Column, ...], rows: list[Row], paper: Paper, chart: Chart | None = None) -> str:
    drawn = chart if paper.blocks else None
    return table.render(columns, rows, cells_wide=paper.cells_wide, colour=paper.colour, chart=drawn)


def _ranking(answer: Answer, rows: list[Row], paper: Paper) -> str:
    """Two tables: the last column says whether a row is ranked."""
    columns = answer.result.columns[:-1]
    ranked = [row[:-1] for row in rows if row[-1]]
    too_few = [row[:-1] for row in rows if not row[-1]]
    text = f"\n{_drawn(columns, ranked, paper, answer.chart)}" if ranked else ""
    if too_few:
        text += f"\ntoo few calls to rank (under {answer.min_calls:,}):\n{_drawn(columns, too_few, paper)}"
    return text


def _sections(answer: Answer, limit: int | None, paper: Paper) -> str:
    """The sentences, then each report's table, cut to its top."""
    text = "\n"
    if answer.activity is not None and paper.blocks:
        from mcpobs.output.sparks import over_time  # few answers have calls over time

        text = f"{over_time(answer.activity)}\n"
    indent = max((len(str(question)) for question, _, _ in answer.result.rows), default=0)
    room = None if paper.cells_wide is None else max(_LEAST_CELLS, paper.cells_wide - indent - 2)
    for question, sentence, _ in answer.result.rows:
        lines = lines_of(str(sentence), room, "prose") if room else [str(sentence)]
        text += "".join(f"{'' if n else question:<{indent}}  {line}\n" for n, line in enumerate(lines))
    for part, (_, _, more) in zip(answer.parts, answer.result.rows, strict=True):
        if part.result.rows:
            text += f"\n{_headed(part, limit, str(more))}\n"
            text += _drawn(part.result.columns, part.result.rows[:limit], paper, part.chart)
    return text


def _headed(part: Answer, limit: int | None, more: str) -> str:
    shown, total = len(part.result.rows[:limit]), part.result.total
    return part.question if shown == total else f"{part.question} ({shown:,} of {total:,}: {more})"


def _sections_in_markdown(answer: Answer, limit: int | None) -> str:
    text = f"# {markdown.escaped(answer.question)}\n\n"
    if answer.sentence:
        text += f"{markdown.escaped(answer.sentence)} ({markdown.escaped(answer.window.words)})\n\n"
    text += markdown.render(answer.result.columns, answer.result.rows)
    for part, (_, _, more) in zip(answer.parts, answer.result.rows, strict=True):
        if part.result.rows:
            text += f"\n## {markdown.escaped(_headed(part, limit, str(more)))}\n\n"
            text += markdown.render(part.result.columns, part.result.rows[:limit])
    return text


def _long(answer: Answer, limit: int | None) -> list[tuple[object, ...]]:
    lines: list[tuple[object, ...]] = [
        (part.report, 0, "answer", sentence)
        for part, (_, sentence, _) in zip(answer.parts, answer.result.rows, strict=True)
    ]
    for part in answer.parts:
        for number, row in enumerate(part.result.rows[:limit], start=1):
            lines += [(part.report, number, col.name, v) for col, v in zip(part.result.columns, row, strict=True)]
    return lines


def document(answer: Answer, limit: int | None) -> dict[str, object]:
    """The answer as JSON. Its form is a contract: members are added, never renamed or taken away."""
    found = {
        "report": answer.report,
        "question": answer.question,
        **({} if answer.sentence is None else {"answer": answer.sentence}),
        "window": window_members(answer.window),
        **({} if answer.min_calls is None else {"min_calls": answer.min_calls}),
        **json_text.document(answer.result.columns, answer.result.rows[:limit]),
        "total": answer.result.total,
        "warnings": [warning.text for warning in answer.warnings],
    }
    return found if answer.layout != "digest" else found | _digest_members(answer, limit)


def window_members(window: Window) -> dict[str, object]:
    """A window as a member of a document."""
    return {
        "since_unix_nano": window.since or None,
        "until_unix_nano": None if window.until == FOREVER else window.until,
        "words": window.words,
    }


def _digest_members(answer: Answer, limit: int | None) -> dict[str, object]:
    return {
        "rows": json_text.document(answer.result.columns, answer.result.rows)["rows"],
        "reports": [
            {
                "report": part.report,
                "question": part.question,
                "answer": sentence,
                **json_text.document(part.result.columns, part.result.rows[:limit]),
                "total": part.result.total,
            }
            for part, (_, sentence, _) in zip(answer.parts, answer.result.rows, strict=True)
        ],
        "activity": None if answer.activity is None else _activity(answer.activity),
    }


def _activity(activity: Activity) -> dict[str, object]:
    return {
        "start_unix_nano": activity.start_unix_nano,
        "step_ns": activity.step_ns,
        "calls": list(activity.calls),
        "failed": list(activity.failed),
    }
