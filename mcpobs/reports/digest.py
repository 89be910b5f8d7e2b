"""What the operator's morning page asks, in which order, and the sentence that answers each report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mcpobs.output.text import printable
from mcpobs.queries.header import Query
from mcpobs.queries.run import Result
from mcpobs.reports import wording as answers

Sentence = Callable[[Result, int], str]


@dataclass(frozen=True, slots=True)
class Topic:
    """A report on the page; `sentence` makes its answer of its result and of how many calls there are in all."""

    query: Query
    question: str
    sentence: Sentence

    @property
    def more(self) -> str:
        return f"mcpobs report {self.query.name}"


def topics(reports: Sequence[Query]) -> list[Topic]:
    """The reports in the order of the page; those that it does not know come last, with the question of their own."""
    known = {query.name: query for query in reports}
    ordered = [known[name] for name in _TOPICS if name in known]
    ordered += [query for query in reports if query.name not in _TOPICS]
    return [Topic(query, *_TOPICS.get(query.name, (query.question, _rows))) for query in ordered]


def _rows(result: Result, calls: int) -> str:
    return "nothing of the kind" if not result.rows else answers.count(result.total, "row")


def _errors(result: Result, calls: int) -> str:
    """Whose fault it is, the most calls first."""
    records = result.records()
    if not records:
        return f"none of {answers.count(calls, 'call')} went wrong"
    faults: dict[str, int] = {}
    for record in records:
        fault = str(record["fault"] or "unknown")
        faults[fault] = faults.get(fault, 0) + record["calls"]
    told = ", ".join(f"{printable(fault)} {n:,}" for fault, n in sorted(faults.items(), key=lambda f: (-f[1], f[0])))
    first = max(records, key=lambda record: record["calls"])
    most = answers.count(first["calls"], "call")
    return f"by fault: {told}; the most: {answers.tool(first)} ({first['outcome']}), {most}"


def _http(result: Result, calls: int) -> str:
    """How many requests came by HTTP, and how many did not get in or broke off."""
    records = result.records()
    if not records:
        return "no requests by HTTP"
    total, rejected, errors, broken = (
        sum(record[name] for record in records)
        for name in ("requests", "rejected", "server_errors", "server_disconnects")
    )
    reasons = [record for record in records if record["top_rejection"]]
    why = f" ({printable(str(max(reasons, key=lambda r: r['rejected'])['top_rejection']))})" if reasons else ""
    return (
        f"{answers.count(total, 'request')}: {rejected:,} not let in{why}, {answers.count(errors, 'server error')}, "
        f"{broken:,} broken off by the server"
    )


def _coverage(result: Result, calls: int) -> str:
    """Who reports, and what is missing."""
    records = result.records()
    if not records:
        return "nobody reports"
    layers = sorted({str(record["layer"] or "?") for record in records})
    unfinished = sum(record["unfinished"] for record in records)
    lost = sum(record["lost_operations"] or 0 for record in records)
    twice = sum(record["same_trace"] + record["not_authoritative"] for record in records)
    return (
        f"reported by {printable(', '.join(layers))}; {unfinished:,} without an answer, {lost:,} lost, "
        f"{twice:,} set aside as told twice"
    )


def _precursors(result: Result, calls: int) -> str:
    """What most often comes before a failure."""
    records = result.records()
    if not records:
        return "nothing more often than chance"
    first = records[0]
    more = f"; and {len(records) - 1:,} more" if len(records) > 1 else ""
    return (
        f"{answers.tool(first)} fails {first['lift']:.1f} times as often after {printable(str(first['before']))}: "
        f"{first['support']:,} of {answers.count(first['calls'], 'call')}{more}"
    )


_TOPICS: dict[str, tuple[str, Sentence]] = {
    "latency": ("Which tool is slow?", _rows),  # answered by the ranking, which looks for a window with enough calls
    "loops": ("Is an agent in a loop?", lambda result, _: answers.loops(result)),
    "sessions": ("Which sessions call too much?", lambda result, _: answers.sessions(result)),
    "failures": ("What fails, after what?", answers.failures),
    "precursors": ("What comes before a failure?", _precursors),
    "errors": ("Whose fault is it?", _errors),
    "shapes": ("Is any input unusual?", lambda result, _: answers.shapes(result)),
    "cost": ("What does it cost?", lambda result, _: answers.cost(result)),
    "http": ("What does not get in by HTTP?", _http),
    "coverage": ("What is not seen?", _coverage),
}
