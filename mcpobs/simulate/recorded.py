"""Reads recorded operations in the order in which they began, in parts of bounded size. Judges nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from mcpobs.queries import catalog
from mcpobs.queries.header import Value
from mcpobs.queries.plan import Plan

HOUR_NS = 3_600 * 1_000_000_000
PART = 200_000
"""Operations that the engine sorts at once, unless a single hour has more."""
_BATCH = 5_000


class Recorded(NamedTuple):
    """One operation: the columns of queries/replay.sql."""

    start_unix_nano: int
    sequence: int | None
    duration_ns: int | None
    kind: str
    service_name: str | None
    resource: str | None
    method: str
    tool: str | None
    prompt: str | None
    client_name: str | None
    session_id: str
    enforcement_key: str | None
    principal: str | None
    tenant: str | None
    role: str | None
    outcome: str | None
    args_digest: str | None
    args_shape: str | None
    args_bytes: int | None
    args_features: str | None
    result_bytes: int | None
    cost_microusd: int | None
    cost_source: str | None
    policy_hash: str | None
    policy_retry: bool | None
    rule_verdicts: str | None

    @property
    def end_unix_nano(self) -> int:
        return self.start_unix_nano + max(0, self.duration_ns or 0)

    @property
    def never_ran(self) -> bool:
        """Whether a policy denied it when it was recorded, before the server saw it."""
        return self.outcome == "denied" and self.result_bytes is None


@dataclass(frozen=True, slots=True)
class Span:
    """From `since` up to, not including, `until`, in unix nanoseconds."""

    since: int
    until: int
    operations: int


@dataclass(frozen=True, slots=True)
class Extent:
    """How much there is to replay, in parts that follow each other."""

    parts: Sequence[Span]
    sessionless: int
    """Tool calls without a session: no limit can count them."""

    @property
    def operations(self) -> int:
        return sum(part.operations for part in self.parts)


def extent(plan: Plan, since: int, until: int, server: str | None) -> Extent:
    """Divides the operations from `since` to `until` into parts of about PART."""
    given: dict[str, Value] = {"since": since, "until": until, "server": server}
    parts: list[Span] = []
    sessionless = 0
    for hour, operations, without in plan.rows(catalog.load("replay_hours"), given):
        sessionless += without
        begins, ends = max(since, hour * HOUR_NS), min(until, (hour + 1) * HOUR_NS)
        if parts and parts[-1].operations + operations <= PART:
            last = parts.pop()
            parts.append(Span(last.since, ends, last.operations + operations))
        elif operations:
            parts.append(Span(begins, ends, operations))
    return Extent(parts, sessionless)


def operations(plan: Plan, extent: Extent, server: str | None) -> Iterator[Recorded]:
    """Yields all operations by their begin. No more than a batch of them is in Python's memory."""
    query = catalog.load("replay")
    for part in extent.parts:
        values = query.values({"since": part.since, "until": part.until, "server": server})
        rows = plan.connection.execute(plan.statement(query, values), values)
        while batch := rows.fetchmany(_BATCH):
            yield from map(Recorded._make, batch)
