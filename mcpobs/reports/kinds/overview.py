"""`mcpobs report`: the operator's five questions, a sentence each, and what a policy refused or found."""

from __future__ import annotations

from mcpobs.queries.plan import Plan
from mcpobs.reports.activity import extent
from mcpobs.reports.answer import Answer
from mcpobs.reports.digest import Digest, alone
from mcpobs.reports.report import find
from mcpobs.reports.request import Asked

_ASKED = ("loops", "sessions", "failures", "shapes")
_IF_ANY = (("decisions", 1), ("findings", None))
"""Reports that are left out if they have no rows, and how many rows their sentence needs."""


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
            for name, most in _IF_ANY:
                rows += self._if_any(plan, alone(asked, rows=most), name, counted["calls"])
        return self.written(asked, counted, rows)

    @staticmethod
    def _if_any(plan: Plan, asked: Asked, name: str, calls: int) -> list[tuple[object, ...]]:
        """The sentence of a report about a policy, if it has rows."""
        report = find(name)
        found = report.answer(plan, asked).result
        return [(report.topic, report.finding(found, calls), report.command)] if found.rows else []
