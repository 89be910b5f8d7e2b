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
        last, denied = result.records()[0], result.summary["denied"]
        failed, refused = result.total - denied, f", {denied:,} denied" if denied else ""
        if not failed:
            return f"none of {count(calls, 'call')} failed{refused}"
        before = [last[f"before_{place}"] for place in (3, 2, 1) if last[f"before_{place}"] is not None]
        after = f" after {printable(' → '.join(before))}" if before else ""
        return (
            f"{failed:,} of {count(calls, 'call')} failed ({failed * 100 / max(calls, 1):.1f} %){refused}; "
            f"the last: {tool(last)} ({last['outcome']}) in session {short(last['session_id'])}{after}"
        )
