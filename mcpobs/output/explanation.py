"""Renders an explanation of decisions as text and as JSON. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import groupby
from shlex import quote

from mcpobs.output.json_text import plain
from mcpobs.output.text import wrapped
from mcpobs.policy.remedy import OURS
from mcpobs.policy.text import Said
from mcpobs.reports.explained import Explained, Explanation, Ruled
from mcpobs.reports.wording import Record, count
from mcpobs.terminal import printable

_OF_FILE = "    | "


def text(of: Explanation, width: int | None = None) -> str:
    """The explanation for people, in lines of `width`. Names that peers chose are escaped."""
    lines = [] if len(of.decisions) == 1 and of.total == 1 else [of.summary, ""]
    for number, one in enumerate(of.decisions):
        lines += ([""] if number else []) + list(_lines(one))
    left_out = of.total - len(of.decisions)
    if left_out > 0 and of.decisions:
        session = quote(str(of.decisions[0].decision["session_id"]))
        lines += ["", f"{left_out:,} more decisions of the session: mcpobs decisions --session {session}"]
    shown = map(printable, lines)
    return "\n".join(shown if width is None else [_wrapped(line, width) for line in shown]).rstrip() + "\n"


def _wrapped(line: str, width: int) -> str:
    """A line in lines of a width, further ones indented below it. Lines of files stay whole."""
    if line.startswith(_OF_FILE):
        return line
    return wrapped(line, width, " " * (len(line) - len(line.lstrip()) + 2))


def data(of: Explanation) -> dict[str, object]:
    """The same for programs."""
    return {"summary": of.summary, "total": of.total, "decisions": [_data(one) for one in of.decisions]}


def _lines(one: Explained) -> Iterator[str]:
    yield one.headline
    if one.decision["decision_id"]:
        yield f"  decision {one.decision['decision_id']}, {one.policy_note}"
    else:
        yield f"  {one.policy_note}"
    for ruled in one.rules:
        yield from _rule(ruled)
    if one.findings:
        yield "  found:"
        yield from (f"    {words}" for words in one.findings)
    if one.cause:
        yield f"  the halt follows from: {one.cause}"
    if one.different:
        yield "  what would have had to be different:"
        yield from (f"    {words}" for words in one.different)
    if one.before:
        yield f"  before it in the session, the last {count(len(one.before), 'call')}:"
        yield from (f"    {words}" for words in _calls(one.before))
    elif one.decision["session_id"]:
        yield "  it was the first call of its session"


def _rule(ruled: Ruled) -> Iterator[str]:
    counted = ruled.counted
    used = "" if counted is None else f": {counted.before:,} before, {counted.after:,} after, at most {counted.most:,}"
    ours = f": {OURS[ruled.id]}" if ruled.id in OURS and ruled.said is None else ""
    yield f"  {ruled.id}{ours}{used}{_place(ruled.said)}"
    if ruled.said is not None:
        yield from (f"{_OF_FILE}{line}" for line in ruled.said.lines)


def _place(said: Said | None) -> str:
    return "" if said is None else f" ({said.source}:{said.line})"


def _calls(records: Sequence[Record]) -> Iterator[str]:
    """The calls in order; equal ones that follow each other are one line."""
    for words, group in groupby(records, key=_call):
        places = [str(record["nth_call"]) for record in group]
        yield f"{places[0] if len(places) == 1 else f'{places[0]}-{places[-1]}'}. {words}"


def _call(record: Record) -> str:
    outcome = record["outcome"] if record["code"] is None else f"{record['outcome']}: {record['code']}"
    same = ", with the same arguments" if record["same_arguments"] else ""
    return f"{record['tool']} {outcome}{same}"


def _data(one: Explained) -> dict[str, object]:
    return {
        "effect": one.effect,
        "code": one.code,
        "headline": one.headline,
        "policy": one.policy_note,
        "rules": [
            {
                "id": ruled.id,
                "counted": None if ruled.counted is None else asdict(ruled.counted),
                "file": None if ruled.said is None else ruled.said.source,
                "line": None if ruled.said is None else ruled.said.line,
                "text": None if ruled.said is None else "\n".join(ruled.said.lines),
            }
            for ruled in one.rules
        ],
        "caused_by": one.cause,
        "findings": list(one.findings),
        "different": list(one.different),
        "calls_before": [{name: plain(value) for name, value in record.items()} for record in one.before],
        "decision": {name: plain(value) for name, value in one.decision.items()},
    }
