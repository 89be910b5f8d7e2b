"""`mcpobs report sessions`: which sessions stand out, and by which rules sessions were found."""

from __future__ import annotations

from mcpobs.queries.run import Result
from mcpobs.reports.report import Report
from mcpobs.reports.wording import count, percent, short
from mcpobs.terminal import printable


class Sessions(Report):
    """The heaviest session comes first."""

    def sentence(self, result: Result) -> str | None:
        """By which rules the sessions were found, and how sure that is."""
        if not result.rows:
            return None
        rules = sorted(
            ((str(source or "?"), str(sure or "?"), number) for source, sure, number in result.tally),
            key=lambda rule: (-rule[2], rule[:2]),
        )
        found = ", ".join(f"{number:,} by {printable(source)} ({printable(sure)})" for source, sure, number in rules)
        return f"{count(result.total, 'session')}: {found}"

    def finding(self, result: Result, calls: int) -> str:
        if not result.rows:
            return "no sessions"
        first, heavy = result.records()[0], result.summary["heavy"]
        if not heavy:
            few = "too few sessions to compare" if first["disproportionate"] is None else "none stands out"
            return f"{few}; the largest of {result.total:,} has {count(first['calls'], 'call')}"
        return (
            f"{heavy:,} of {count(result.total, 'session')}; the largest: {short(first['session_id'])} with "
            f"{count(first['calls'], 'call')}, {percent(first['share_ratio'])} of all "
            f"({first['why']}, against the median session)"
        )
