"""The answer to each of an operator's five questions in one sentence, from a query's Result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mcpobs.output.text import printable
from mcpobs.output.units import dollars, milliseconds, moment
from mcpobs.queries.run import Result
from mcpobs.reports.latencies import BOUND
from mcpobs.reports.ranking import Ranking

Record = Mapping[str, Any]

ROUNDED = f"percentiles are from roll-ups, off by at most {BOUND}; --exact reads every call"


def highest_p95(found: Ranking) -> str:
    """Which tool has the highest p95, over how many calls, in which window."""
    records = found.result.records()
    winner = found.winner
    if winner:
        several = len({record["service_name"] for record in records}) > 1
        p95 = milliseconds(winner["p95_ms"])
        about = "about " if found.rounded else ""
        return f"{tool(winner, several)}: p95 {about}{p95} ms over {count(winner['calls'], 'call')} {found.window.when}"
    if records:
        most = max(record["calls"] for record in records)
        return f"no tool has {found.min_calls:,} answered calls {found.window.when}; the most is {most:,}"
    return f"no answered calls {found.window.when}"


def loops(result: Result) -> str:
    """How many loops, how much they wasted, and the largest."""
    if not result.rows:
        return "no loops"
    first = result.records()[0]
    sessions, wasted = result.summary["sessions"], result.summary["wasted"]
    return (
        f"{count(result.total, 'loop')} in {count(sessions, 'session')}, {count(wasted, 'call')} wasted; "
        f"the largest: {printable(first['pattern'])}, {count(first['calls'], 'call')} ({first['kind']}) "
        f"in session {_short(first['session_id'])}"
    )


def sessions(result: Result) -> str:
    """Which sessions stand out, and by what."""
    if not result.rows:
        return "no sessions"
    first, heavy = result.records()[0], result.summary["heavy"]
    if not heavy:
        few = "too few sessions to compare" if first["disproportionate"] is None else "none stands out"
        return f"{few}; the largest of {result.total:,} has {count(first['calls'], 'call')}"
    return (
        f"{heavy:,} of {count(result.total, 'session')}; the largest: {_short(first['session_id'])} with "
        f"{count(first['calls'], 'call')}, {_percent(first['share_ratio'])} of all "
        f"({first['why']}, against the median session)"
    )


def _percent(ratio: float) -> str:
    return f"{ratio * 100:.0f} %" if ratio >= 0.1 else f"{ratio * 100:.1f} %"


def session_rules(rules: Sequence[tuple[str | None, str | None, int]], total: int) -> str:
    """By which rule the sessions were found, and how sure that is: `rules` has the sessions of each."""
    listed = sorted(
        ((str(source or "?"), str(sure or "?"), number) for source, sure, number in rules),
        key=lambda rule: (-rule[2], rule[:2]),
    )
    told = ", ".join(f"{number:,} by {printable(source)} ({printable(sure)})" for source, sure, number in listed)
    return f"{count(total, 'session')}: {told}"


def failures(result: Result, calls: int) -> str:
    """How many calls failed, and the newest with what came before it."""
    if not result.rows:
        return f"none of {count(calls, 'call')} failed"
    last = result.records()[0]
    before = [last[f"before_{place}"] for place in (3, 2, 1) if last[f"before_{place}"] is not None]
    after = f" after {printable(' → '.join(before))}" if before else ""
    return (
        f"{result.total:,} of {count(calls, 'call')} failed ({result.total * 100 / max(calls, 1):.1f} %); the last: "
        f"{tool(last)} ({last['outcome']}) in session {_short(last['session_id'])}{after}"
    )


def shapes(result: Result) -> str:
    """What is unusual in arguments."""
    records = [record for record in result.records() if record["odd"]]
    if not records:
        return "nothing unusual"
    first = records[0]
    more = f"; and {len(records) - 1:,} more" if len(records) > 1 else ""
    return f"{tool(first)}: {first['odd']} (session {_short(first['odd_session_id'])}){more}"


def cost(result: Result, by: str = "tool") -> str:
    """What the calls cost, who spends the most of it, and what is not known of it."""
    calls, priced, unpriced, incomplete, unrecorded = (
        int(result.summary[name]) for name in ("calls", "priced", "unpriced", "incomplete", "unrecorded")
    )
    told = "no cost is known of any call: prices stand below [prices] in config.toml"
    if priced:
        first = result.records()[0]  # by cost
        name = first[{"tool": "tool", "session": "session_id", "tenant": "tenant"}[by]]
        whose = f"{by} {_short(name)}" if name is not None else f"(no {by})"
        share = "" if first["share_ratio"] is None else f" ({first['share_ratio'] * 100:.0f} %)"
        total = dollars(int(result.summary["cost_microusd"]))
        most = f"{whose}, {dollars(first['cost_microusd'])}{share}"
        told = f"{total} for {priced:,} of {count(calls, 'call')}; the most: {most}"
    if unpriced and priced:
        told += f"; {unpriced:,} without a known cost"
    if incomplete:
        told += f"; {incomplete:,} whose result did not tell what their price asks for"
    if unrecorded:
        told += f"; {unrecorded:,} cannot be priced anew, for what their price asks for was not recorded"
    if models := result.summary["llm_calls"]:
        known = result.summary["llm_microusd"]
        spent = "no known price" if known is None else dollars(int(known))
        told += f"; beside them {count(int(models), 'model call')}: {spent}"
    return told


def extent(record: Record) -> str:
    """How much was recorded, and from when to when."""
    return (
        f"{count(record['calls'], 'tool call')} in {count(record['sessions'], 'session')}, "
        f"{moment(record['first_unix_nano'])} to {moment(record['last_unix_nano'])} UTC"
    )


def tool(record: Record, with_server: bool = False) -> str:
    """A row's tool for a sentence."""
    name = "(no tool name)" if record["tool"] is None else printable(str(record["tool"]))
    return f"{name} of {printable(str(record['service_name']))}" if with_server else name


def _short(session: str | None) -> str:
    """The beginning of an id: enough for --session."""
    if session is None:
        return "unknown"
    return printable(session) if len(session) <= 16 else printable(session[:12]) + "…"


def count(number: int, noun: str) -> str:
    """A number with its noun in the right form."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
