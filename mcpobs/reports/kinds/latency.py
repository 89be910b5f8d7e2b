"""`mcpobs report latency`: percentiles of each tool, from every call or from roll-ups."""

from __future__ import annotations

from mcpobs.queries.plan import Plan
from mcpobs.reports.answer import Answer
from mcpobs.reports.latencies import BOUND, latencies
from mcpobs.reports.report import Report
from mcpobs.reports.request import Asked

ROUNDED = f"percentiles are from roll-ups, off by at most {BOUND}; --exact reads every call"


class Latency(Report):
    """The slowest tool comes first. A digest answers its question by the report p95."""

    rounds = True
    answered_by = "p95"

    def answer(self, plan: Plan, asked: Asked) -> Answer:
        found = latencies(plan, self.values(asked), exact=asked.request.exact)
        return self.answered(asked.window, found.result, ROUNDED if found.rounded else None)
