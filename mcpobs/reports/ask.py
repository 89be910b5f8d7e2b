"""Asks an open lake what a report wants to know. Writes nothing and opens nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mcpobs.queries import catalog
from mcpobs.queries.header import Column, Query, Value
from mcpobs.queries.plan import Plan
from mcpobs.queries.run import Result, run
from mcpobs.reports import ranking, window
from mcpobs.reports import wording as answers
from mcpobs.reports.chart import Chart, read_chart
from mcpobs.reports.filters import Filters
from mcpobs.reports.latencies import latencies
from mcpobs.reports.window import Window

if TYPE_CHECKING:
    from mcpobs.reports.activity import Series

OVERVIEW = (
    Column("question", "varchar", "what an operator wants to know"),
    Column("answer", "varchar", "the answer in a sentence"),
    Column("more", "varchar", "the command that tells more"),
)
ALL = "all"


@dataclass(frozen=True, slots=True)
class Found:
    """A report's answer before it is written down. `answer` is its sentence, where it has one.

    That of `all` has its reports as `parts`, and the calls over time.
    """

    report: str
    question: str
    answer: str | None
    window: Window
    result: Result
    min_calls: int | None = None
    chart: Chart | None = None
    parts: tuple[Found, ...] = ()
    activity: Series | None = None


def ask(
    plan: Plan,
    query: Query,
    wanted: Filters,
    chosen: Window,
    min_calls: int | None = None,
    limit: int | None = None,
    by: str | None = None,
    *,
    exact: bool = False,
) -> Found:
    """One report; at most `limit` rows of one that may be long, and `exact` where roll-ups would be rounded."""
    given: dict[str, Value] = {"since": chosen.since, "until": chosen.until, **wanted.params()}
    if min_calls is not None:
        given["min_calls"] = min_calls
    if query.takes("before"):
        given["before"] = chosen.before
    if query.name == "cost":
        from mcpobs.reports.kinds.cost import ask_cost  # a cold report of another kind does without

        return ask_cost(plan, query, given, chosen, by or "tool", limit)
    if query.name == "latency":
        told = latencies(plan, given, exact=exact)
        return Found(
            query.name,
            query.question,
            answers.ROUNDED if told.rounded else None,
            chosen,
            told.result,
            chart=read_chart(query),
        )
    result = run(plan, query, given, limit)
    answer = None
    if query.name == "sessions" and result.rows:
        answer = answers.session_rules(result.tally, result.total)
    return Found(query.name, query.question, answer, chosen, result, chart=read_chart(query))


def ask_p95(
    plan: Plan,
    wanted: Filters,
    chosen: Window | None,
    now: int,
    min_calls: int | None,
    *,
    exact: bool = False,
) -> Found:
    """Which tool is the slowest; in the newest window that has enough, where none is chosen."""
    least = ranking.MIN_CALLS if min_calls is None else min_calls
    found = ranking.rank(plan, wanted, chosen, now, least, exact=exact)
    question = "Which tool has the highest p95 right now?"
    chart = read_chart(catalog.load("latency"))
    return Found("p95", question, answers.highest_p95(found), found.window, found.result, least, chart)


def ask_overview(plan: Plan, wanted: Filters, chosen: Window, now: int, min_calls: int | None) -> Found:
    """The operator's five questions, a sentence each."""

    def answered(name: str) -> Result:
        return ask(plan, catalog.load(name), wanted, chosen, limit=1).result

    extent = answered("extent").records()[0]
    rows: list[tuple[object, ...]] = []
    if extent["calls"]:
        slow = ask_p95(plan, wanted, _newest(chosen), now, min_calls)
        rows = [
            ("Which tool is slow?", slow.answer, "mcpobs report --p95"),
            ("Is an agent in a loop?", answers.loops(answered("loops")), "mcpobs report loops"),
            ("Which sessions call too much?", answers.sessions(answered("sessions")), "mcpobs report sessions"),
            (
                "What fails, after what?",
                answers.failures(answered("failures"), extent["calls"]),
                "mcpobs report failures",
            ),
            ("Is any input unusual?", answers.shapes(answered("shapes")), "mcpobs report shapes"),
        ]
    result = Result(OVERVIEW, rows, len(rows))
    return Found("overview", "What is going on?", answers.extent(extent) if rows else None, chosen, result)


def ask_all(
    plan: Plan,
    wanted: Filters,
    chosen: Window,
    now: int,
    min_calls: int | None,
    step: Callable[[str], None] = lambda doing: None,
    limit: int | None = None,
) -> Found:
    """Every report, each with its sentence first: the page for the morning. `step` hears what is asked next; of a
    report that may be long there are at most `limit` rows."""
    from mcpobs.reports import digest as morning  # a cold report of another kind does without

    extent = ask(plan, catalog.load("extent"), wanted, chosen).result.records()[0]
    rows: list[tuple[object, ...]] = []
    parts: list[Found] = []
    if extent["calls"]:
        slow = ask_p95(plan, wanted, _newest(chosen), now, min_calls)
        asked = morning.topics(catalog.reports())
        for number, topic in enumerate(asked, start=1):
            step(f"reading: {topic.query.name} ({number} of {len(asked)})")
            part = ask(plan, topic.query, wanted, chosen, limit=limit)
            told = slow.answer if part.report == "latency" else topic.sentence(part.result, extent["calls"])
            rows.append((topic.question, told, topic.more))
            parts.append(part)
    return Found(
        ALL,
        "What is going on?",
        answers.extent(extent) if rows else None,
        chosen,
        Result(OVERVIEW, rows, len(rows)),
        parts=tuple(parts),
        activity=ask_activity(plan, wanted, chosen),
    )


def ask_activity(plan: Plan, wanted: Filters, chosen: Window) -> Series | None:
    """Calls over time, from the first to the last of the window; None where there are none."""
    from mcpobs.reports.activity import bucket_ns, series

    extent = ask(plan, catalog.load("extent"), wanted, chosen).result.records()[0]
    if not extent["calls"]:
        return None
    first, last = extent["first_unix_nano"], extent["last_unix_nano"]
    given: dict[str, Value] = {"since": chosen.since, "until": chosen.until, **wanted.params()}
    given["step"] = bucket_ns(first, last)
    found = run(plan, catalog.load("activity"), given)
    return series(found, first, last, bucket_ns(first, last))


def _newest(chosen: Window) -> Window | None:
    return None if chosen == window.EVERYTHING else chosen
