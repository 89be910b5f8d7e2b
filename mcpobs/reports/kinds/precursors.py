"""`mcpobs report precursors`: what most often comes before a failure."""

from __future__ import annotations

from mcpobs.queries.run import Result
from mcpobs.reports.report import Report
from mcpobs.reports.wording import count, tool
from mcpobs.terminal import printable


class Precursors(Report):
    """The surest precursor comes first."""

    def finding(self, result: Result, calls: int) -> str:
        records = result.records()
        if not records:
            return "nothing more often than chance"
        first = records[0]
        more = f"; and {len(records) - 1:,} more" if len(records) > 1 else ""
        return (
            f"{tool(first)} fails {first['lift']:.1f} times as often after {printable(str(first['before']))}: "
            f"{first['support']:,} of {count(first['calls'], 'call')}{more}"
        )
