"""Words for calls that nobody answered: those that failed, those that still wait, and those that a client abandoned."""

from __future__ import annotations

from collections.abc import Sequence

from mcpobs.queries import catalog
from mcpobs.queries.header import Value
from mcpobs.queries.plan import Plan
from mcpobs.queries.run import run
from mcpobs.reports.filters import Filters
from mcpobs.reports.window import Window
from mcpobs.reports.wording import Record, tool

_MOST_TOOLS = 3


def unanswered(plan: Plan, chosen: Window, filters: Filters) -> list[Record]:
    """The unanswered calls of a window by tool, failed or not, pending or not: rows of queries/unanswered.sql."""
    given: dict[str, Value] = {"since": chosen.since, "until": chosen.until, **filters.params()}
    return [*run(plan, catalog.load("unanswered"), given).records()]


def parts(records: Sequence[Record]) -> list[str]:
    """What is to be said of them, each a part of a sentence; nothing if every call was answered."""
    return [
        f"{calls:,} {'was' if calls == 1 else 'were'} {verb} ({tools})"
        for verb, calls, tools in _grouped(records, "never answered", "still open", "abandoned by the client")
    ]


def sentence(records: Sequence[Record]) -> str | None:
    """The same as a sentence of its own; None if every call was answered."""
    found = _grouped(records, "failed", "still open", "abandoned by the client")
    said = "; ".join(f"{calls:,} {verb} ({tools})" for verb, calls, tools in found)
    return f"calls without an answer: {said}" if said else None


def _grouped(records: Sequence[Record], hung: str, waiting: str, abandoned: str) -> list[tuple[str, int, str]]:
    """A word, a number of calls and their tools for each group that has calls."""
    groups: dict[str, list[Record]] = {hung: [], waiting: [], abandoned: []}
    for record in records:
        groups[hung if record["failed"] else waiting if record["pending"] else abandoned].append(record)
    return [(word, sum(one["calls"] for one in group), _tools(group)) for word, group in groups.items() if group]


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
