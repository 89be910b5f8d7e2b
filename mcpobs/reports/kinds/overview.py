"""`mcpobs report`: the operator's five questions, a sentence each, and what a policy refused."""

from __future__ import annotations

from mcpobs.queries.plan import Plan
from mcpobs.reports.activity import extent
from mcpobs.reports.answer import Answer
from mcpobs.reports.digest import Digest, alone
from mcpobs.reports.report import find
from mcpobs.reports.request import Asked

_ASKED = ("loops", "sessions", "failures", "shapes")


class Overview(Digest):
    """Which tool is slow, and the findings of four reports."""

    layout = "sentences"
    name = "overview"
    command = "mcpobs report"
    has_costs = False

    def answer(self, plan: Plan, asked: Asked) -> Answer:
        counted = extent(plan, asked)
        rows: list[tuple[object, ...]] = []
        if counted["calls"]:
            slow = find("p95")
            rows = [(find("latency").topic, slow.answer(plan, asked).sentence, slow.command)]
            for report in map(find, _ASKED):
                found = report.answer(plan, alone(asked, rows=1)).result
                rows.append((report.topic, report.finding(found, counted["calls"]), report.command))
            rows += self._refused(plan, asked, counted["calls"])
        return self.written(asked, counted, rows)

    @staticmethod
    def _refused(plan: Plan, asked: Asked, calls: int) -> list[tuple[object, ...]]:
        """A sentence about a policy's decisions, if there are any."""
        report = find("decisions")
        found = report.answer(plan, alone(asked, rows=1)).result
        return [(report.topic, report.finding(found, calls), report.command)] if found.rows else []
