"""`mcpobs report coverage`: who reports calls, and what is missing."""

from __future__ import annotations

from mcpobs.queries.run import Result
from mcpobs.reports.report import Report
from mcpobs.terminal import printable


class Coverage(Report):
    """The layers that report a server's calls."""

    def finding(self, result: Result, calls: int) -> str:
        records = result.records()
        if not records:
            return "nobody reports"
        layers = sorted({str(record["layer"] or "?") for record in records})
        unfinished = sum(record["unfinished"] for record in records)
        lost = sum(record["lost_operations"] or 0 for record in records)
        twice = sum(record["same_trace"] + record["not_authoritative"] for record in records)
        uncounted = sum(record["agent_tools"] + record["unread"] for record in records)
        denied = sum(record["denied"] for record in records)
        frames = sum(record["refused_frames"] for record in records)
        refused = f"; {denied:,} denied by a policy" if denied else ""
        refused += f"; {frames:,} unreadable messages refused" if frames else ""
        also = f"; {uncounted:,} spans look like MCP and are not counted" if uncounted else ""
        return (
            f"reported by {printable(', '.join(layers))}; {unfinished:,} without an answer, {lost:,} lost, "
            f"{twice:,} reported twice and counted once{refused}{also}"
        )
