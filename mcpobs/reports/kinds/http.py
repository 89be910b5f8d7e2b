"""`mcpobs report http`: how many requests came by HTTP, and how many did not get in or broke off."""

from __future__ import annotations

from mcpobs.queries.run import Result
from mcpobs.reports.report import Report
from mcpobs.reports.wording import count
from mcpobs.terminal import printable

_COUNTED = ("requests", "rejected", "server_errors", "server_disconnects")


class Http(Report):
    """Requests by server, path and method."""

    def finding(self, result: Result, calls: int) -> str:
        records = result.records()
        if not records:
            return "no requests by HTTP"
        total, rejected, errors, broken = (sum(record[name] for record in records) for name in _COUNTED)
        reasons = [record for record in records if record["top_rejection"]]
        most = max(reasons, key=lambda record: record["rejected"], default=None)
        why = "" if most is None else f" ({printable(str(most['top_rejection']))})"
        return (
            f"{count(total, 'request')}: {rejected:,} not let in{why}, {count(errors, 'server error')}, "
            f"{broken:,} broken off by the server"
        )
