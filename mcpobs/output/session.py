"""A session's timeline as text and as JSON. Prints nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import groupby

from mcpobs.output.fit import lines_of
from mcpobs.output.text import printable, shortened, width
from mcpobs.reports.session import Timeline, TimelineCall
from mcpobs.reports.texts import hint
from mcpobs.reports.wording import count, dollars, milliseconds, zoned

FOLDED = 4
"""Equal calls in a row from which on one line stands for all but the first."""

MOST_LINES = 200
"""Calls that a timeline shows at most, unless all are asked for."""

_PLACE, _OFFSET, _TOOL, _OUTCOME, _TOOK = 4, 10, 18, 13, 9
_INDENT = " " * (_PLACE + 2)
_CELLS = 80


def text(timeline: Timeline, cells_wide: int | None = None, *, whole: bool = False) -> str:
    """The head, then a line for each call and one for what else is known of it. Equal calls are folded unless
    `whole`."""
    room = cells_wide or _CELLS
    lanes = max((call.lane for call in timeline.calls), default=0) + 1
    head = [line for sentence in sentences(timeline) for line in lines_of(sentence, room)]
    lines = [*head, "", _row("call", "offset", "tool", "outcome", "took", "arguments", 0, room)]
    shown = 0
    for group in grouped(timeline.calls, whole):
        if shown >= MOST_LINES and not whole:
            left = timeline.of_calls - int(group[0].record["nth_call"]) + 1
            lines.append(f"… {count(left, 'further call')} (--all shows them)")
            break
        lines += _group(group, room, lanes, whole)
        shown += 1 if len(group) < FOLDED else 2
    if timeline.of_calls > len(timeline.calls):
        lines.append(f"… {count(timeline.of_calls - len(timeline.calls), 'further call')}")
    failed = [call.record for call in timeline.calls if call.record["failed"] and not call.record["unanswered"]]
    said = hint(len(failed), sum(record["error_message"] is not None for record in failed))
    if said is not None:
        lines += ["", *lines_of(said, room)]
    return "\n".join(lines) + "\n"


def data(timeline: Timeline) -> dict[str, object]:
    """The timeline for machines: every call, nothing folded."""
    return {
        "session": dict(timeline.head),
        "calls": [
            {**call.record, "offset_ms": call.offset_ms, "lane": call.lane, "retry_of_call": call.retry_of}
            for call in timeline.calls
        ],
        "of_calls": timeline.of_calls,
        "calls_with_findings": timeline.findings,
        "denied_calls": timeline.denied,
    }


def sentences(timeline: Timeline) -> list[str]:
    """What is known of the session as a whole."""
    head = timeline.head
    client = " ".join(printable(str(part)) for part in (head["client_name"], head["client_version"]) if part)
    servers = "" if head["services"] < 2 else f" and {count(head['services'] - 1, 'other server')}"
    facts = [count(head["tool_calls"], "call"), f"{head['failed']:,} failed"]
    if head["cost_microusd"] is not None:
        facts.append(dollars(head["cost_microusd"]))
    facts += [f"{timeline.findings:,} with findings"] * bool(timeline.findings)
    facts += [f"{timeline.denied:,} denied"] * bool(timeline.denied)
    return [
        f"session {printable(str(head['session_id']))}",
        f"server {printable(str(head['service_name'] or 'without a name'))}{servers}, "
        f"client {client or 'without a name'}; found by {head['session_source'] or 'no rule'} "
        f"({head['session_confidence'] or 'unknown'} confidence)",
        f"{zoned(head['start_unix_nano'])}, {_length(head['duration_ms'] or 0.0)}: {', '.join(facts)}",
    ]


def grouped(calls: Sequence[TimelineCall], whole: bool) -> Iterator[list[TimelineCall]]:
    """Equal calls in a row; each call alone if `whole`."""

    def equal(call: TimelineCall) -> tuple[object, ...]:
        row = call.record
        first = row["same_as_call"] or row["nth_call"]
        return (row["nth_call"],) if whole else (row["service_name"], row["tool"], first, row["outcome"], row["failed"])

    for _, group in groupby(calls, equal):
        yield list(group)


def _group(group: Sequence[TimelineCall], room: int, lanes: int, whole: bool) -> list[str]:
    if len(group) < FOLDED or whole:
        return [line for call in group for line in _call(call, room, lanes)]
    rest, last = group[1:], group[-1]
    folded = f"… {count(len(rest), 'equal call')} until {offset_of(last.offset_ms)} (--all shows them)"
    return [*_call(group[0], room, lanes), f"{_INDENT}{folded}"]


def _call(call: TimelineCall, room: int, lanes: int) -> list[str]:
    row = call.record
    outcome = outcome_of(call)
    line = _row(
        f"{row['nth_call']:,}",
        offset_of(call.offset_ms),
        printable(str(row["tool"] or "(no tool name)")),
        f"{'' if not row['failed'] else '! '}{printable(outcome)}",
        took(call),
        printable(str(row["args_shape"] or "-")),
        call.lane if lanes > 1 else 0,
        room,
    )
    notes = "; ".join(notes_of(call))
    return [line, *(f"{_INDENT}{part}" for part in lines_of(notes, room - len(_INDENT)))] if notes else [line]


def outcome_of(call: TimelineCall) -> str:
    return "unanswered" if call.record["unanswered"] else str(call.record["outcome"] or "?")


def took(call: TimelineCall) -> str:
    """How long the call took; of an unanswered one how long it waited at least."""
    ms = call.record["duration_ms"]
    return "-" if ms is None else f"{'≥ ' if call.record['unanswered'] else ''}{_length(ms)}"


def notes_of(call: TimelineCall) -> Iterator[str]:
    """What else is known of the call."""
    row = call.record
    if call.retry_of is not None:
        yield f"retry of {call.retry_of:,}"
    elif row["same_as_call"] is not None:
        yield f"same arguments as {row['same_as_call']:,}"
    named = [str(part) for part in (row["error_type"], row["status_code"]) if part and part != row["outcome"]]
    if named:
        yield printable(" ".join(named))
    if row["error_message"]:
        yield printable(str(row["error_message"]))
    if row["decision_code"]:
        yield f"denied: {printable(str(row['decision_code']))}"
    if row["findings"]:
        yield f"findings: {printable(_found(str(row['findings'])))}"
    if row["cost_microusd"]:
        yield dollars(row["cost_microusd"])


def _found(findings: str) -> str:
    """What was found and what was done, each kind once: `injection (override, persona), flag`."""
    try:
        kinds: dict[tuple[str, str], dict[str, None]] = {}
        for entry in json.loads(findings):
            families = kinds.setdefault((str(entry["find"]), str(entry["action"])), {})
            if entry.get("family") not in (None, entry["find"]):
                families[str(entry["family"])] = None
    except (ValueError, TypeError, KeyError, AttributeError):
        return findings
    said = [
        f"{find} ({', '.join(families)}), {action}" if families else f"{find}, {action}"
        for (find, action), families in kinds.items()
    ]
    return "; ".join(said) or "none"


def _row(place: str, offset: str, tool: str, outcome: str, took: str, shape: str, lane: int, room: int) -> str:
    """A line of the table. A call in a further lane stands further to the right by a mark each."""
    name = shortened("│" * min(lane, _TOOL // 2) + tool, _TOOL)
    start = (
        f"{place:>{_PLACE}}  {offset:>{_OFFSET}}  {name}{' ' * (_TOOL - width(name))}  "
        f"{shortened(outcome, _OUTCOME):<{_OUTCOME}} {took:>{_TOOK}}  "
    )
    left = room - width(start)
    return (start + (shortened(shape, left) if left > 3 else "")).rstrip()


def offset_of(ms: float) -> str:
    """When a call began, counted from the session's start."""
    return f"{'-' if ms < 0 else '+'}{_length(abs(ms))}"


def _length(ms: float) -> str:
    """A time for people: `12.3 ms`, `4.50 s`, `2:03 min`, `1:02:03 h`."""
    if ms < 1_000:
        return f"{milliseconds(ms)} ms"
    if ms < 60_000:
        return f"{ms / 1_000:.2f} s"
    minutes, seconds = divmod(int(ms / 1_000), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02} h" if hours else f"{minutes}:{seconds:02} min"
