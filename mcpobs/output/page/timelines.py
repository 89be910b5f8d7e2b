"""The timelines of a page: each session folded away, with its calls in order. Calls that are equal share a row."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from itertools import islice

from mcpobs.output.page.grid import data, heading, table
from mcpobs.output.page.links import Links
from mcpobs.output.page.markup import element, safe
from mcpobs.output.session import FOLDED, grouped, notes_of, offset_of, outcome_of, sentences, took
from mcpobs.output.text import printable
from mcpobs.queries.header import Column
from mcpobs.reports.session import Timeline, TimelineCall
from mcpobs.reports.wording import count

MOST_ROWS = 100
"""Rows of one timeline."""
MOST_BYTES = 400_000
"""Of all timelines of a page; the last one that begins below it is whole."""

SECTION = "timelines"
_HEADINGS = (
    ("call", "place among the session's calls", True),
    ("offset", "when it began, from the start of the session", True),
    ("tool", "the tool that was called", False),
    ("outcome", "how the call ended", False),
    ("took", "how long it took; ≥: nobody answered within that time", True),
    ("arguments", "keys and types of the arguments", False),
    ("also known", "retries, errors, denials, findings and costs", False),
    ("trace_id", "the trace of the call", False),
)
_HIGH, _MOST_LANES = 8, 12
_KEYS = tuple(Column(name, "varchar") for name in ("service_name", "tool", "trace_id"))


def add_links(links: Links, timelines: Sequence[Timeline]) -> None:
    """Sessions lead to their timeline, and traces to its call."""
    for number, timeline in enumerate(timelines):
        links.add(("session", None, str(timeline.head["session_id"])), SECTION, _anchor(number))
        for group in _shown(timeline):
            for call in group:
                for kind in ("trace", "span"):
                    if (name := call.record[f"{kind}_id"]) is not None:
                        links.add((kind, None, name), SECTION, _place(number, group[0]))


def drawn(timelines: Sequence[Timeline], links: Links) -> str:
    """The section of all timelines; nothing if there are none."""
    if not timelines:
        return ""
    parts = element("h2", "What did these sessions do, call by call?")
    parts += element("p", "The sessions that the tables above name first, each as a whole.", class_="soft")
    parts += "".join(_session(timeline, number, links) for number, timeline in enumerate(timelines))
    return element("section", parts, id=SECTION)


def kept(timelines: Sequence[Timeline]) -> list[Timeline]:
    """The first timelines, as many as the page has room for."""
    found, size = [], 0
    for number, timeline in enumerate(timelines):
        if size > MOST_BYTES:
            break
        found.append(timeline)
        size += len(_session(timeline, number, Links()))
    return found


def _session(timeline: Timeline, number: int, links: Links) -> str:
    name, *facts = sentences(timeline)
    head = timeline.head
    words = f"{printable(str(head['session_id']))}: {count(head['tool_calls'], 'call')}, {head['failed']:,} failed"
    parts = element("p", safe(name), id=_anchor(number)) + "".join(element("p", safe(fact)) for fact in facts)
    shown = _shown(timeline)
    top = "".join(heading(*one, f"session-{number}-h{place}") for place, one in enumerate(_HEADINGS))
    parts += _also(str(head["session_id"]), links) + _lanes(timeline.calls)
    parts += table(top, "".join(_row(group, number, links) for group in shown), f"calls of session {number + 1}")
    left = timeline.of_calls - sum(map(len, shown))
    if left > 0:
        more = f"mcpobs session {shlex.quote(str(head['session_id']))} --all"
        parts += element("p", safe(f"{count(left, 'further call')}: ") + element("code", safe(more)), class_="soft")
    return element("details", element("summary", safe(words)) + parts)


def _also(session: str, links: Links) -> str:
    """The tables that have rows of the session."""
    found = links.elsewhere(("session", None, session), SECTION)
    listed = " · ".join(element("a", safe(section), href=f"#{place}") for section, place in found)
    return element("p", f"in the tables: {listed}", class_="soft") if found else ""


def _shown(timeline: Timeline) -> list[list[TimelineCall]]:
    """The rows: calls, those of a run of equal ones from the second on as one row."""
    rows: list[list[TimelineCall]] = []
    for group in grouped(timeline.calls, False):
        rows += [[call] for call in group] if len(group) < FOLDED else [group[:1], group[1:]]
        if len(rows) >= MOST_ROWS:
            break
    return list(islice(rows, MOST_ROWS))


def _row(group: Sequence[TimelineCall], number: int, links: Links) -> str:
    first, last = group[0], group[-1]
    row, equal = first.record, len(group) > 1
    places = f"{row['nth_call']:,}" + (f"–{last.record['nth_call']:,}" if equal else "")
    names = (row["service_name"], row["tool"], row["trace_id"])
    outcome = outcome_of(first)
    notes = [f"{len(group):,} equal calls until {offset_of(last.offset_ms)}"] if equal else list(notes_of(first))
    cells = data(places, "", True, number=row["nth_call"])
    cells += data(offset_of(first.offset_ms), "", True, number=first.offset_ms)
    cells += data(printable(str(row["tool"] or "(no tool name)")), "", False, links.leading(_KEYS, names, 1, SECTION))
    cells += data(printable(outcome), "outcome" if row["failed"] else "", False)
    cells += data("-", "", True) if equal else data(took(first), "", True, number=row["duration_ms"])
    cells += data(printable(str(row["args_shape"] or "-")), "", False) + data("; ".join(notes) or "-", "", False)
    cells += data(printable(str(row["trace_id"] or "-")), "", False, links.leading(_KEYS, names, 2, SECTION))
    return element("tr", cells, id=links.id_of(_place(number, first)))


def _lanes(calls: Sequence[TimelineCall]) -> str:
    """The calls on one axis of time, those that ran at once below each other; failed ones red."""
    first = min((call.offset_ms for call in calls), default=0.0)
    end = max((call.offset_ms + (call.record["duration_ms"] or 0.0) for call in calls), default=0.0)
    if len(calls) < 2 or end <= first:
        return ""
    shown = [call for call in calls if call.lane < _MOST_LANES]
    high = (max(call.lane for call in shown) + 1) * _HIGH
    rects = "".join(
        element(
            "rect",
            class_="bad" if call.record["failed"] else "bar",
            x=f"{min(99.7, left):.2f}%",
            width=f"{max(0.3, min(100.0 - left, wide)):.2f}%",
            y=str(call.lane * _HIGH),
            height=str(_HIGH - 2),
        )
        for call in shown
        for left in [(call.offset_ms - first) * 100 / (end - first)]
        for wide in [(call.record["duration_ms"] or 0.0) * 100 / (end - first)]
    )
    axis = element(
        "div", element("span", safe(offset_of(first))) + element("span", safe(offset_of(end))), class_="axis"
    )
    picture = element("svg", rects, width="100%", height=str(high), aria_hidden="true")
    caption = element("figcaption", "its calls over time, those at once below each other; red: failed")
    return element("figure", picture + axis + caption, class_="chart")


def _anchor(number: int) -> str:
    return f"session-{number}"


def _place(number: int, call: TimelineCall) -> str:
    return f"session-{number}-call-{call.record['nth_call']}"
