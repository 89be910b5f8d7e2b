"""`mcpobs report loops`: how many loops, how much they wasted, and the largest."""

from __future__ import annotations

from mcpobs.queries.run import Result
from mcpobs.reports.report import Report
from mcpobs.reports.wording import count, short
from mcpobs.terminal import printable


class Loops(Report):
    """The most wasteful loop comes first."""

    def finding(self, result: Result, calls: int) -> str:
        if not result.rows:
            return "no loops"
        first = result.records()[0]
        sessions, wasted = result.summary["sessions"], result.summary["wasted"]
        return (
            f"{count(result.total, 'loop')} in {count(sessions, 'session')}, {count(wasted, 'call')} wasted; "
            f"the largest: {printable(first['pattern'])}, {count(first['calls'], 'call')} ({first['kind']}) "
            f"in session {short(first['session_id'])}"
        )
