"""`mcpobs report loops`: how many loops, whether one goes on, how much they wasted, the largest, and outages apart."""

from __future__ import annotations

from typing import Any

from mcpobs.queries.run import Result
from mcpobs.reports.report import Report
from mcpobs.reports.wording import count, short
from mcpobs.terminal import printable

OUTAGE = "outage"


class Loops(Report):
    """The most wasteful loop comes first."""

    def sentence(self, result: Result) -> str | None:
        return self.finding(result, 0) if result.rows else None

    def finding(self, result: Result, calls: int) -> str:
        if not result.rows:
            return "no loops"
        outages = result.summary["outages"] or 0
        parts = [] if result.total == outages else [_of_loops(result, result.total - outages)]
        if outages:
            parts.append(_of_outages(result, outages))
        return "; ".join(parts)


def _of_loops(result: Result, loops: int) -> str:
    summary = result.summary
    text = (
        f"{count(loops, 'loop')} in {count(summary['sessions'], 'session')}, {count(summary['wasted'], 'call')} wasted"
    )
    if summary["open"]:
        text += f"; {summary['open']:,} still going on"
    first = _first(result, outage=False)
    if first is None:
        return text
    return (
        f"{text}; the largest: {printable(first['pattern'])}, {count(first['calls'], 'call')} ({first['kind']}) "
        f"in session {short(first['session_id'])}"
    )


def _of_outages(result: Result, outages: int) -> str:
    first = _first(result, outage=True)
    if first is None:
        return count(outages, "outage")
    where = "" if first["service_name"] is None else f" of {printable(first['service_name'])}"
    return (
        f"{count(outages, 'outage')}, no loop: {printable(first['pattern'])}{where} failed alike "
        f"in {count(first['sessions'], 'session')}"
    )


def _first(result: Result, *, outage: bool) -> dict[str, Any] | None:
    """The first shown row that is an outage, or that is none."""
    return next((row for row in result.records() if (row["kind"] == OUTAGE) is outage), None)
