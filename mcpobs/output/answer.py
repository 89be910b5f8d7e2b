"""A report's answer as the text of each format. Prints nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcpobs.cli.printing import DEFAULT_ROWS, Format, draws_blocks, room_for_text, table
from mcpobs.output import csv_text, json_text, markdown
from mcpobs.output.fit import lines_of
from mcpobs.output.units import moment
from mcpobs.queries.header import Column
from mcpobs.queries.run import Row
from mcpobs.reports import window
from mcpobs.reports.ask import ALL, Found

if TYPE_CHECKING:
    from mcpobs.reports.activity import Series

TOP_ROWS = 5
"""Rows of each report in `all` where --limit does not say."""

_SPARKS = 48
_LONG = tuple(Column(name, "varchar") for name in ("report", "row", "column", "value"))
"""`all` as CSV: one file cannot hold several tables, so each value has a line."""


def written(
    found: Found,
    form: Format,
    limit: int | None,
    warnings: list[str],
    *,
    bars: bool = False,
    margin: int = 0,
    raw: bool = False,
) -> str:
    """The answer, of each table at most `limit` rows; a table for a terminal leaves a margin."""
    columns, rows = found.result.columns, found.result.rows[:limit]
    match form:
        case "json":
            return json_text.render(_document(found, rows, warnings, limit))
        case "csv":
            if found.report == ALL:
                return csv_text.render(_LONG, _long(found, limit), raw=raw)
            return csv_text.render(columns, rows, raw=raw)
        case "markdown":
            if found.report == ALL:
                return _sections_in_markdown(found, limit)
            lead = f"{markdown.escaped(found.answer)}\n\n" if found.answer else ""
            return lead + markdown.render(columns, rows)
        case "table":
            return _table(found, rows, limit, bars, margin)


def rows_shown(found: Found, form: Format, limit: int | None) -> int | None:
    """How many rows of a table are written where --limit does not say: of a table few, of other formats all."""
    if limit is not None:
        return limit
    if found.report == ALL:
        return TOP_ROWS if form in ("table", "markdown") else None
    return DEFAULT_ROWS if form == "table" else None


def _table(found: Found, rows: list[Row], limit: int | None, bars: bool, margin: int) -> str:
    lead = f"{found.answer}\n" if found.answer else ""
    columns = found.result.columns
    if found.report == "overview":
        return lead + "".join(f"\n{question}\n  {answer}\n  more: {more}\n" for question, answer, more in rows)
    if found.report == ALL:
        return lead + _sections(found, limit, bars, margin)
    if found.report != "p95":
        return (
            (f"{lead}\n" if lead else "") + table(columns, rows, found.chart, bars=bars, margin=margin) if rows else ""
        )
    ranked = [row[:-1] for row in rows if row[-1]]
    too_few = [row[:-1] for row in rows if not row[-1]]
    if ranked:
        lead += "\n" + table(columns[:-1], ranked, found.chart, bars=bars, margin=margin)
    if too_few:
        lead += f"\ntoo few calls to rank (under {found.min_calls:,}):\n" + table(columns[:-1], too_few, margin=margin)
    return lead


def _sections(found: Found, limit: int | None, bars: bool, margin: int) -> str:
    """The sentences, then each report's table, cut to its top."""
    text = ""
    if found.activity is not None and (bars or draws_blocks()):
        text += over_time(found.activity, _SPARKS)
    text += "\n"
    asked = max((len(str(question)) for question, _, _ in found.result.rows), default=0)
    room = room_for_text(margin + asked + 2)
    for question, answer, _ in found.result.rows:
        told = lines_of(str(answer), room, "prose") if room else [str(answer)]
        text += "".join(f"{'' if n else question:<{asked}}  {line}\n" for n, line in enumerate(told))
    for part, (_, _, more) in zip(found.parts, found.result.rows, strict=True):
        if part.result.rows:
            text += f"\n{_headed(part, limit, str(more))}\n"
            text += table(part.result.columns, part.result.rows[:limit], part.chart, bars=bars, margin=margin)
    return text


def over_time(activity: Series, cells: int) -> str:
    """Calls over time on one line, with what a block stands for."""
    from mcpobs.reports.activity import sparkline, step_words

    sparks = sparkline(activity.calls, cells)
    each = step_words(activity.step_ns * -(-len(activity.calls) // cells))
    return f"{moment(activity.start_unix_nano)} {sparks} {moment(activity.end_unix_nano)}  a block is {each}\n"


def _headed(part: Found, limit: int | None, more: str) -> str:
    shown, total = len(part.result.rows[:limit]), part.result.total
    return part.question if shown == total else f"{part.question} ({shown:,} of {total:,}: {more})"


def _sections_in_markdown(found: Found, limit: int | None) -> str:
    text = f"# {markdown.escaped(found.question)}\n\n"
    if found.answer:
        text += f"{markdown.escaped(found.answer)} ({markdown.escaped(found.window.words)})\n\n"
    text += markdown.render(found.result.columns, found.result.rows)
    for part, (_, _, more) in zip(found.parts, found.result.rows, strict=True):
        if part.result.rows:
            text += f"\n## {markdown.escaped(_headed(part, limit, str(more)))}\n\n"
            text += markdown.render(part.result.columns, part.result.rows[:limit])
    return text


def _long(found: Found, limit: int | None) -> list[tuple[object, ...]]:
    lines: list[tuple[object, ...]] = [
        (part.report, 0, "answer", answer) for part, (_, answer, _) in zip(found.parts, found.result.rows, strict=True)
    ]
    for part in found.parts:
        for number, row in enumerate(part.result.rows[:limit], start=1):
            lines += [(part.report, number, col.name, v) for col, v in zip(part.result.columns, row, strict=True)]
    return lines


def _document(found: Found, rows: list[Row], warnings: list[str], limit: int | None) -> dict[str, object]:
    """A report's JSON. Its form is a contract: members are added, never renamed or taken away."""
    document = {
        "report": found.report,
        "question": found.question,
        **({} if found.answer is None else {"answer": found.answer}),
        "window": {
            "since_unix_nano": found.window.since or None,
            "until_unix_nano": None if found.window.until == window.FOREVER else found.window.until,
            "words": found.window.words,
        },
        **({} if found.min_calls is None else {"min_calls": found.min_calls}),
        **json_text.document(found.result.columns, rows),
        "total": found.result.total,
        "warnings": warnings,
    }
    if found.report == ALL:
        document["rows"] = json_text.document(found.result.columns, found.result.rows)["rows"]
        document["reports"] = [
            {
                "report": part.report,
                "question": part.question,
                "answer": answer,
                **json_text.document(part.result.columns, part.result.rows[:limit]),
                "total": part.result.total,
            }
            for part, (_, answer, _) in zip(found.parts, found.result.rows, strict=True)
        ]
        document["activity"] = None if found.activity is None else _activity(found.activity)
    return document


def _activity(activity: Series) -> dict[str, object]:
    return {
        "start_unix_nano": activity.start_unix_nano,
        "step_ns": activity.step_ns,
        "calls": list(activity.calls),
        "failed": list(activity.failed),
    }
