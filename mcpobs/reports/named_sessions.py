"""The sessions that an answer names, the most telling first, and their timelines. Prints nothing."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice, zip_longest

from mcpobs.queries.plan import Plan
from mcpobs.reports.answer import Answer
from mcpobs.reports.session import Timeline, timeline_of

MOST_SESSIONS = 8
"""Timelines of one answer."""
MOST_CALLS = 500
"""Calls of each that are read."""

_TELLING = ("loops", "sessions", "failures", "shapes", "errors", "findings", "precursors")
"""Reports whose rows name sessions that a person looks at next."""


def timelines(plan: Plan, answer: Answer) -> list[Timeline]:
    """The timelines of the first sessions that the answer names; whole sessions, also outside of its window."""
    return [timeline_of(plan, session, MOST_CALLS) for session in sessions_named(answer)]


def sessions_named(answer: Answer) -> list[str]:
    """The first sessions of each telling report in turn, each once: of sessions only those that stand out."""
    parts = {part.report: part for part in answer.parts or (answer,)}
    found = [list(islice(_named(parts[name]), MOST_SESSIONS)) for name in _TELLING if name in parts]
    in_turn = [session for session in chain(*zip_longest(*found)) if session]
    return list(dict.fromkeys(in_turn))[:MOST_SESSIONS]


def _named(part: Answer) -> Iterator[str]:
    names = [column.name for column in part.result.columns]
    place = next((n for n, name in enumerate(names) if name.endswith("session_id")), None)
    if place is None:
        return
    standing = names.index("disproportionate") if "disproportionate" in names else None
    seen = set()
    for row in part.result.rows:
        session = row[place]
        if isinstance(session, str) and session not in seen and (standing is None or row[standing]):
            seen.add(session)
            yield session
