"""Words for calls that nobody answered: those that failed, those that still wait, and those that a client abandoned."""

from __future__ import annotations

from collections.abc import Sequence

from mcpobs.queries import catalog
from mcpobs.queries.header import Value
from mcpobs.queries.plan import Plan
from mcpobs.queries.run import run
from mcpobs.reports.filters import Filters
from mcpobs.reports.window import Window
from mcpobs.reports.wording import Record, count, tool

_MOST_TOOLS = 3


def unanswered(plan: Plan, chosen: Window, filters: Filters) -> list[Record]:
    """The unanswered calls of a window by tool, failed or not, pending or not: rows of queries/unanswered.sql."""
    given: dict[str, Value] = {"since": chosen.since, "until": chosen.until, **filters.params()}
    return [*run(plan, catalog.load("unanswered"), given).records()]


def parts(records: Sequence[Record]) -> list[str]:
    """What is to be said of them, each part of a sentence; nothing if every call was answered."""
    hung = [record for record in records if record["failed"]]
    waiting = [record for record in records if not record["failed"] and record["pending"]]
    abandoned = [record for record in records if not record["failed"] and not record["pending"]]
    found = []
    for group, verb in ((hung, "never answered"), (waiting, "still open"), (abandoned, "abandoned by the client")):
        if group:
            calls = sum(record["calls"] for record in group)
            found.append(f"{calls:,} {'was' if calls == 1 else 'were'} {verb} ({_tools(group)})")
    return found


def sentence(records: Sequence[Record]) -> str | None:
    """The same as a sentence of its own."""
    found = parts(records)
    if not found:
        return None
    return f"of {count(sum(record['calls'] for record in records), 'unanswered call')} " + "; ".join(found)


def wait(ms: float) -> str:
    """A wait that may have gone on: at least so long."""
    if ms < 1_000:
        return f"≥ {ms:.0f} ms"
    return f"≥ {ms / 1000:,.1f} s"


def _tools(records: Sequence[Record]) -> str:
    longest: dict[tuple[object, object], Record] = {}
    for record in records:
        known = longest.get((record["service_name"], record["tool"]))
        if known is None or known["longest_ms"] < record["longest_ms"]:
            longest[record["service_name"], record["tool"]] = record
    several = len({server for server, _ in longest}) > 1
    named = [f"{tool(record, several)}: {wait(record['longest_ms'])}" for record in longest.values()]
    more = [f"{len(named) - _MOST_TOOLS:,} more"] if len(named) > _MOST_TOOLS else []
    return ", ".join(named[:_MOST_TOOLS] + more)
