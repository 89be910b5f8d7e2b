"""`mcpobs report all`: every report, the sentences first."""

from __future__ import annotations

from dataclasses import replace

from mcpobs.queries.plan import Plan
from mcpobs.reports.activity import activity, extent
from mcpobs.reports.answer import Answer
from mcpobs.reports.digest import Digest, alone
from mcpobs.reports.report import find, listed
from mcpobs.reports.request import Asked


class Everything(Digest):
    """The findings of all reports, with the reports as parts and the calls over time."""

    layout = "digest"
    name = "all"
    command = "mcpobs report all"
    has_costs = True

    def answer(self, plan: Plan, asked: Asked) -> Answer:
        counted = extent(plan, asked)
        rows: list[tuple[object, ...]] = []
        parts: list[Answer] = []
        if counted["calls"]:
            reports = listed()
            for number, report in enumerate(reports, start=1):
                asked.step(f"reading: {report.name} ({number} of {len(reports)})")
                part = report.answer(plan, alone(asked, asked.request.rows))
                sentence = (
                    report.finding(part.result, counted["calls"])
                    if report.answered_by is None
                    else find(report.answered_by).answer(plan, asked).sentence
                )
                rows.append((report.topic, sentence, report.command))
                parts.append(part)
        answer = self.written(asked, counted, rows)
        return replace(answer, parts=tuple(parts), activity=activity(plan, asked, counted))
