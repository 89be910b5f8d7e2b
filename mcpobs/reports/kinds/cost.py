"""`mcpobs report cost`: by what its rows are told, its sentence, and history priced by today's book. Prints nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from mcpobs.errors import UsageError, nearest
from mcpobs.prices import models
from mcpobs.queries.header import Query, Value
from mcpobs.queries.plan import Plan
from mcpobs.queries.run import Result, run
from mcpobs.reports import wording as answers
from mcpobs.reports.ask import Found
from mcpobs.reports.chart import read_chart
from mcpobs.reports.window import Window
from mcpobs.settings import config_folder, load_config

NAMES: Final = {"tool": "tool", "session": "session_id", "tenant": "tenant"}
"""What `--by` can be, and the name that the column `item` has then."""

_OF_TOOLS: Final = ("service_name", "model")


def check(query: Query | None, by: str | None, reprice: bool, everything: bool) -> None:
    """Raises UsageError where the options do not go with the report; `everything` is for the page of all reports."""
    if by is not None and (query is None or query.name != "cost"):
        raise UsageError("--by is for the report cost", "mcpobs report cost --by " + (by if by in NAMES else "session"))
    if by is not None and by not in NAMES:
        close = nearest(by, NAMES)
        meant = f"did you mean {close}? " if close else ""
        raise UsageError(f"--by {by!r} is nothing that costs are told by", f"{meant}it is one of {', '.join(NAMES)}")
    told = query is not None and any(column.name == "cost_microusd" for column in query.columns)
    if reprice and not told and not everything:
        raise UsageError("--reprice is for a report that tells costs", "mcpobs report cost --reprice")


def reprice(plan: Plan, warn: Callable[[str], None]) -> Plan:
    """A plan in which calls cost what they would cost by the book that is in force now."""
    folder = config_folder()
    return plan.repriced(models.resolved(load_config(folder).prices, folder, warn))


def ask_cost(plan: Plan, query: Query, given: dict[str, Value], chosen: Window, by: str, limit: int | None) -> Found:
    """The report, at most `limit` rows of it, its column `item` named after what it is."""
    result = run(plan, query, {**given, "by": by}, limit)
    kept = [place for place, column in enumerate(result.columns) if by == "tool" or column.name not in _OF_TOOLS]
    columns = tuple(
        replace(column, name=NAMES[by], meaning=f"the {by}") if column.name == "item" else column
        for column in (result.columns[place] for place in kept)
    )
    rows = result.rows if by == "tool" else [tuple(row[place] for place in kept) for row in result.rows]
    named = Result(columns, rows, result.total, result.summary)
    chart = read_chart(query)
    return Found(
        query.name,
        query.question,
        answers.cost(named, by) if rows else None,
        chosen,
        named,
        chart=chart and replace(chart, label=NAMES[by]),
    )
