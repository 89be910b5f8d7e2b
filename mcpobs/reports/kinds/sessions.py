"""`mcpobs report sessions`: which sessions stand out among those like them, and by which rules sessions were found."""

from __future__ import annotations

from mcpobs.queries.run import Result
from mcpobs.reports.report import Report
from mcpobs.reports.wording import Record, count, percent, short
from mcpobs.terminal import printable


class Sessions(Report):
    """Sessions that stand out come first, then the largest by share."""

    def sentence(self, result: Result) -> str | None:
        """What stands out, where to look next, by which rules the sessions were found, and how sure that is."""
        if not result.rows:
            return None
        rules = sorted(
            ((str(source or "?"), str(sure or "?"), number) for source, sure, number in result.tally),
            key=lambda rule: (-rule[2], rule[:2]),
        )
        found = ", ".join(f"{number:,} by {printable(source)} ({printable(sure)})" for source, sure, number in rules)
        return f"{self.finding(result, 0)}{_next(result)}; sessions were found {found}"

    def finding(self, result: Result, calls: int) -> str:
        if not result.rows:
            return "no sessions"
        first, heavy = result.records()[0], result.summary["heavy"]
        if heavy:
            verb = "stands" if heavy == 1 else "stand"
            return (
                f"{heavy:,} of {count(result.total, 'session')} {verb} out; the largest: {_share(first)} "
                f"({first['why']}, against the median of {first['peers']:,} sessions like it)"
            )
        if first["disproportionate"] is None:
            return f"too few sessions to compare; the largest of {result.total:,}: {_share(first)}"
        return f"none of {count(result.total, 'session')} stands out among those like it; the largest: {_share(first)}"


def _share(first: Record) -> str:
    calls = count(first["calls"], "call")
    return f"{short(first['session_id'])} with {calls}, {percent(first['share_ratio'])} of all"


def _next(result: Result) -> str:
    """The command that shows the first session that stands out."""
    first = result.records()[0]
    if not first["disproportionate"]:
        return ""
    return f"; next: mcpobs report all --session {printable(first['session_id'][:16])}"
