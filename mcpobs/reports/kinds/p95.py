"""`mcpobs report --p95`: which tool is the slowest, in the newest window that has enough calls."""

from __future__ import annotations

from dataclasses import replace

from mcpobs.queries import catalog
from mcpobs.queries.header import Query
from mcpobs.queries.plan import Plan
from mcpobs.reports import ranking
from mcpobs.reports.answer import Answer
from mcpobs.reports.ranking import Ranking
from mcpobs.reports.report import Report
from mcpobs.reports.request import Asked
from mcpobs.reports.wording import count, milliseconds, tool


class HighestP95(Report):
    """The tools of one window by p95, those with too few calls apart."""

    layout = "ranking"
    rounds = True
    name = "p95"
    question = "Which tool has the highest p95 right now?"
    command = "mcpobs report --p95"
    looks_back = True
    takes_min_calls = True
    has_costs = False
    compares = False

    @classmethod
    def query_of(cls, name: str) -> Query:
        return catalog.load("latency")

    def answer(self, plan: Plan, asked: Asked) -> Answer:
        request = asked.request
        least = ranking.MIN_CALLS if request.min_calls is None else request.min_calls
        found = ranking.rank(plan, asked.filters, asked.chosen, asked.now, least, exact=request.exact)
        return replace(self.answered(found.window, found.result, sentence(found)), min_calls=least)


def sentence(found: Ranking) -> str:
    """Which tool has the highest p95, over how many calls, in which window."""
    records = found.result.records()
    winner = found.winner
    if winner:
        several = len({record["service_name"] for record in records}) > 1
        p95 = milliseconds(winner["p95_ms"])
        about = "about " if found.rounded else ""
        return f"{tool(winner, several)}: p95 {about}{p95} ms over {count(winner['calls'], 'call')} {found.window.when}"
    if records:
        most = max(record["calls"] for record in records)
        return f"no tool has {found.min_calls:,} answered calls {found.window.when}; the most is {most:,}"
    return f"no answered calls {found.window.when}"
