"""One session as a timeline: its head, and its calls in order with lanes and retries. Prints nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mcpobs.queries import catalog
from mcpobs.queries.plan import Plan
from mcpobs.queries.run import run
from mcpobs.reports.filters import Filters, resolve
from mcpobs.reports.wording import Record

MOST_CALLS = 100_000
"""Calls of a session that are read; more are only counted."""


@dataclass(frozen=True, slots=True)
class TimelineCall:
    """A call of a session. `record` is its row of queries/timeline.sql.

    `lane` counts from 0: calls that run at the same time have different lanes. `retry_of` is the place of the failed
    call that it repeats with equal arguments."""

    record: Record
    offset_ms: float
    lane: int
    retry_of: int | None


@dataclass(frozen=True, slots=True)
class Timeline:
    """A session: `head` is its row of queries/session.sql."""

    head: Record
    calls: tuple[TimelineCall, ...]
    of_calls: int

    @property
    def findings(self) -> int:
        """Calls in whose messages an inspector found something."""
        return sum(call.record["findings"] is not None for call in self.calls)

    @property
    def denied(self) -> int:
        """Calls that a policy denied."""
        return sum(call.record["decision_code"] is not None for call in self.calls)


def timeline(plan: Plan, name: str) -> Timeline:
    """The session that `name` begins. Raises UsageError, with near names, if there is none or several."""
    session = resolve(plan, Filters(session=name)).session
    assert session is not None
    return timeline_of(plan, session, MOST_CALLS)


def timeline_of(plan: Plan, session: str, most_calls: int) -> Timeline:
    """The session of this id, with at most so many of its calls."""
    head = run(plan, catalog.load("session"), {"session": session}).records()[0]
    rows = run(plan, catalog.load("timeline"), {"session": session, "calls": most_calls}).records()
    calls = _placed(rows, head["start_unix_nano"])
    return Timeline(head, calls, rows[0]["of_calls"] if rows else 0)


def _placed(rows: Sequence[Record], start_unix_nano: int) -> tuple[TimelineCall, ...]:
    ends: list[float] = []  # of the last call of each lane
    failed: dict[tuple[object, ...], int] = {}  # the last failed call with the same arguments
    calls = []
    for row in rows:
        offset_ms = (row["start_unix_nano"] - start_unix_nano) / 1e6
        lane = next((lane for lane, end in enumerate(ends) if end <= offset_ms), len(ends))
        ends[lane : lane + 1] = [offset_ms + (row["duration_ms"] or 0.0)]
        key = (row["service_name"], row["tool"], row["same_as_call"] or row["nth_call"])
        calls.append(TimelineCall(row, offset_ms, lane, failed.pop(key, None)))
        if row["failed"]:
            failed[key] = row["nth_call"]
    return tuple(calls)
