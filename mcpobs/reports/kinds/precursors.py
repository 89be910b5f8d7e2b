"""`mcpobs report precursors`: what most often comes before a failure."""

from __future__ import annotations

from mcpobs.queries.run import Result
from mcpobs.reports.report import Report
from mcpobs.reports.wording import count, percent, tool
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
            f"{tool(first)} fails after {printable(str(first['before']))}: {first['support']:,} of "
            f"{count(first['calls'], 'call')} ({percent(first['failed_ratio'])}), against "
            f"{percent(first['rest_ratio'])} of the {count(first['rest_calls'], 'other call')}{more}"
        )

    def sentence(self, result: Result) -> str | None:
        """The surest precursor, and the command that lists its failures."""
        if not result.rows:
            return None
        name = result.records()[0]["tool"]
        chosen = f" --tool {printable(str(name))}" if name is not None else ""
        return f"{self.finding(result, 0)}; next: mcpobs report failures{chosen}"
