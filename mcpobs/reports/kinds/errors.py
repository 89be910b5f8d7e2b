"""`mcpobs report errors`: whose fault errors are."""

from __future__ import annotations

from mcpobs.queries.run import Result
from mcpobs.reports.report import Report
from mcpobs.reports.wording import count, tool
from mcpobs.terminal import printable


class Errors(Report):
    """Errors by the one whose fault they are."""

    def finding(self, result: Result, calls: int) -> str:
        records = result.records()
        if not records:
            return f"none of {count(calls, 'call')} went wrong"
        faults: dict[str, int] = {}
        for record in records:
            fault = str(record["fault"] or "unknown")
            faults[fault] = faults.get(fault, 0) + record["calls"]
        ordered = sorted(faults.items(), key=lambda fault: (-fault[1], fault[0]))
        listed = ", ".join(f"{printable(fault)} {n:,}" for fault, n in ordered)
        first = max(records, key=lambda record: record["calls"])
        most = count(first["calls"], "call")
        return f"by fault: {listed}; the most: {tool(first)} ({first['outcome']}), {most}"
