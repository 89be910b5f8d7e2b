"""A report's answer as the text of each format. Prints nothing."""

from __future__ import annotations

from mcpobs.output import csv_text, json_text, markdown, table
from mcpobs.output.fit import lines_of
from mcpobs.output.formats import DEFAULT_ROWS, Format, Paper
from mcpobs.output.fresh import MARGIN
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
    lead = _wrapped(answer.sentence, paper) if answer.sentence else ""
    match answer.layout:
        case "sentences":
            for question, sentence, more in rows:
                lead += f"\n{_heading(question, paper)}{_wrapped(sentence, paper, '  ')}"
                lead += _heading(f"more: {more}", paper, "  ")
            return lead
        case "digest":
            return lead + _sections(answer, limit, paper)
        case "ranking":
            return lead + _ranking(answer, rows, paper)
        case "rows":
            if not rows:
                return lead
            drawn = _drawn(answer, answer.result.columns, rows, paper, answer.chart)
            return f"{lead}\n{drawn}" if lead else drawn


def _wrapped(text: object, paper: Paper, indent: str = "") -> str:
    """A sentence in lines that end at words and fit the terminal."""
    return _lined(str(text), paper, indent, paper.fresh.margin(str(text)) if paper.fresh else "")


def _heading(text: object, paper: Paper, indent: str = "") -> str:
    """The same for a text that is never new."""
    return _lined(str(text), paper, indent, _blank(paper))


def _lined(text: str, paper: Paper, indent: str, margin: str) -> str:
    room = None if paper.cells_wide is None else max(_LEAST_CELLS, paper.cells_wide - len(indent))
    lines = [text] if room is None else lines_of(text, room)
    return "".join(f"{_blank(paper) if n else margin}{indent}{line}\n" for n, line in enumerate(lines))


def _blank(paper: Paper) -> str:
    """The margin of a line without a mark."""
    return "" if paper.fresh is None else " " * MARGIN


MORE = "--wide, or --columns a,b"
"""How a command shows columns that its table leaves out."""


def _drawn(
    answer: Answer,
    columns: tuple[Column, ...],
    rows: list[Row],
    paper: Paper,
    chart: Chart | None = None,
    *,
    more: str = MORE,
) -> str:
    fresh = paper.fresh
    return table.render(
        columns,
        rows,
        cells_wide=None if paper.wide else paper.cells_wide,
        colour=paper.colour,
        chart=chart if paper.blocks else None,
        shown=table.Shown(answer.answers or None, paper.columns, more=more),
        margins=None if fresh is None else lambda shown: fresh.margins(answer.report, columns, rows, shown),
    )


def _ranking(answer: Answer, rows: list[Row], paper: Paper) -> str:
    """Two tables: the last column says whether a row is ranked."""
    columns = answer.result.columns[:-1]
    ranked = [row[:-1] for row in rows if row[-1]]
    too_few = [row[:-1] for row in rows if not row[-1]]
    more = "" if too_few else MORE
    text = f"\n{_drawn(answer, columns, ranked, paper, answer.chart, more=more)}" if ranked else ""
    if too_few:
        drawn = _drawn(answer, columns, too_few, paper)
        text += f"\n{_heading(f'too few calls to rank (under {answer.min_calls:,}):', paper)}{drawn}"
    return text


def _sections(answer: Answer, limit: int | None, paper: Paper) -> str:
    """The sentences, then each report's table, cut to its top."""
    text = "\n"
    if answer.activity is not None and paper.blocks:
        from mcpobs.output.sparks import over_time  # few answers have calls over time

        text = "".join(f"{_blank(paper)}{line}\n" for line in over_time(answer.activity).splitlines()) + "\n"
    indent = max((len(str(question)) for question, _, _ in answer.result.rows), default=0)
    room = None if paper.cells_wide is None else max(_LEAST_CELLS, paper.cells_wide - indent - 2)
    for question, sentence, _ in answer.result.rows:
        lines = lines_of(str(sentence), room) if room else [str(sentence)]
        margin = paper.fresh.margin(str(sentence)) if paper.fresh else ""
        text += "".join(
            f"{_blank(paper) if n else margin}{'' if n else question:<{indent}}  {line}\n"
            for n, line in enumerate(lines)
        )
    for part, (_, _, more) in zip(answer.parts, answer.result.rows, strict=True):
        if part.result.rows:
            text += f"\n{_heading(_headed(part, limit, str(more)), paper)}"
            text += _drawn(part, part.result.columns, part.result.rows[:limit], paper, part.chart, more="")
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
