"""`mcpobs report cost`: what calls cost, and who spends it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from mcpobs.errors import UsageError, nearest
from mcpobs.queries.header import Value
from mcpobs.queries.plan import Plan
from mcpobs.queries.run import Result, run
from mcpobs.reports.answer import Answer
from mcpobs.reports.report import Report
from mcpobs.reports.request import Asked
from mcpobs.reports.wording import count, dollars, short

_COLUMNS: Final = {"tool": "tool", "session": "session_id", "tenant": "tenant"}
"""The name that the column `item` has by --by."""

_OF_TOOLS: Final = ("service_name", "model")


class Cost(Report):
    """The dearest comes first. Rows are of tools, of sessions or of tenants."""

    groups = tuple(_COLUMNS)

    def check_by(self, by: str) -> None:
        if by not in self.groups:
            close = nearest(by, self.groups)
            meant = f"did you mean {close}? " if close else ""
            listed = ", ".join(self.groups)
            raise UsageError(f"unknown --by {by!r}", f"{meant}it is one of {listed}")

    def answer(self, plan: Plan, asked: Asked) -> Answer:
        by = asked.request.by or "tool"
        values: dict[str, Value] = {**self.values(asked), "by": by}
        found = run(plan, self.query, values, asked.request.rows)
        result = _named(found, by)
        answer = self.answered(asked.window, result, _sentence(result, by) if result.rows else None)
        answers = tuple(_COLUMNS[by] if name == "item" else name for name in answer.answers)
        return replace(answer, answers=answers, chart=answer.chart and replace(answer.chart, label=_COLUMNS[by]))

    def finding(self, result: Result, calls: int) -> str:
        return _sentence(result, "tool")


def _named(found: Result, by: str) -> Result:
    """The answer with its column `item` named after its contents."""
    kept = [place for place, column in enumerate(found.columns) if by == "tool" or column.name not in _OF_TOOLS]
    columns = tuple(
        replace(column, name=_COLUMNS[by], meaning=f"the {by}") if column.name == "item" else column
        for column in (found.columns[place] for place in kept)
    )
    rows = found.rows if by == "tool" else [tuple(row[place] for place in kept) for row in found.rows]
    return Result(columns, rows, found.total, found.summary)


def _sentence(result: Result, by: str) -> str:
    """The sum, who spends the most of it, and which costs are unknown."""
    calls, priced, unpriced, incomplete, unrecorded = (
        int(result.summary[name] or 0) for name in ("calls", "priced", "unpriced", "incomplete", "unrecorded")
    )
    text = "no cost is known of any call: prices stand below [prices] in config.toml"
    if priced:
        total = dollars(int(result.summary["cost_microusd"]))
        text = f"{total} for {priced:,} of {count(calls, 'call')}; the most: {_most(result.records()[0], by)}"
    if unpriced and priced:
        text += f"; {unpriced:,} without a known cost"
    if incomplete:
        text += f"; {incomplete:,} whose result lacks a value that the price needs"
    if unrecorded:
        text += f"; {unrecorded:,} cannot be repriced, because a value that the price needs was not recorded"
    if models := result.summary["llm_calls"]:
        known = result.summary["llm_microusd"]
        spent = "no known price" if known is None else dollars(int(known))
        text += f"; beside them {count(int(models), 'model call')}: {spent}"
    return text


def _most(first: Mapping[str, Any], by: str) -> str:
    name = first[_COLUMNS[by]]
    whose = f"{by} {short(name)}" if name is not None else f"(no {by})"
    share = "" if first["share_ratio"] is None else f" ({first['share_ratio'] * 100:.0f} %)"
    return f"{whose}, {dollars(first['cost_microusd'])}{share}"
