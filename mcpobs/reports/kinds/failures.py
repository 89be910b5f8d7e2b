"""`mcpobs report failures`: how many calls failed, and the newest failure with the calls before it."""

from __future__ import annotations

from mcpobs.queries.run import Result
from mcpobs.reports.report import Report
from mcpobs.reports.wording import count, short, tool
from mcpobs.terminal import printable


class Failures(Report):
    """The newest failure comes first."""

    def finding(self, result: Result, calls: int) -> str:
        if not result.rows:
            return f"none of {count(calls, 'call')} failed"
        last = result.records()[0]
        before = [last[f"before_{place}"] for place in (3, 2, 1) if last[f"before_{place}"] is not None]
        after = f" after {printable(' → '.join(before))}" if before else ""
        return (
            f"{result.total:,} of {count(calls, 'call')} failed ({result.total * 100 / max(calls, 1):.1f} %); "
            f"the last: {tool(last)} ({last['outcome']}) in session {short(last['session_id'])}{after}"
        )
