"""`mcpobs report shapes`: which arguments are unusual."""

from __future__ import annotations

from mcpobs.queries.run import Result
from mcpobs.reports.report import Report
from mcpobs.reports.wording import short, tool


class Shapes(Report):
    """The oddest arguments come first."""

    def finding(self, result: Result, calls: int) -> str:
        odd = [record for record in result.records() if record["odd"]]
        if not odd:
            return "nothing unusual"
        first = odd[0]
        more = f"; and {len(odd) - 1:,} more" if len(odd) > 1 else ""
        return f"{tool(first)}: {first['odd']} (session {short(first['odd_session_id'])}){more}"
