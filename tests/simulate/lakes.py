"""Recorded operations that tests make up, and what a policy decides of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from mcpobs.policy import file
from mcpobs.policy.decision import Lane
from mcpobs.policy.model import Inspection
from mcpobs.queries.plan import Plan
from mcpobs.reports.window import FOREVER
from mcpobs.simulate.recorded import Recorded, extent, operations
from mcpobs.simulate.replay import Replay
from tests.queries.recorded import Row, call, in_memory


class Decisions:
    """Keeps the code of each operation's decision (None: it goes on), and what could not be decided."""

    def __init__(self) -> None:
        self.codes: list[str | None] = []
        self.undecidable: list[tuple[str, ...]] = []
        self.late: list[str] = []
        self.results: list[str] = []
        self.findings: list[tuple[str, str]] = []

    def decided(self, call: Recorded, lane: Lane) -> None:
        self.codes.append(None if lane.code is None else str(lane.code))
        self.undecidable.append(tuple(dict.fromkeys(name.removesuffix(".reopened") for name in lane.undecidable)))

    def withheld(self, call: Recorded, lane: Lane) -> None:
        self.results.append(str(lane.code))

    def undecided(self, call: Recorded, rules: Iterable[str]) -> None:
        self.late += rules

    def found(self, call: Recorded, entry: Inspection) -> None:
        self.findings.append((entry.id, entry.action))


def rows(*given: Mapping[str, Any]) -> list[Row]:
    """Calls of one verified caller in session s1, one a second, but for what is given."""
    common = {"enforcement_key": "principal:ann", "principal": "ann", "resource": "process-1"}
    return [call(number, **{**common, **columns}) for number, columns in enumerate(given)]


def decided(policy: str, *given: Mapping[str, Any], prices: Mapping[str, int] | None = None) -> Decisions:
    """What the policy decides of operations."""
    decisions = Decisions()
    replay = Replay(
        file.of_texts([(f"version: 1\n{policy}".encode(), "policy.yaml")]),
        decisions,
        lambda server, tool: (prices or {}).get(tool),
    )
    plan = Plan(in_memory(rows(*given)))
    for one in operations(plan, extent(plan, 0, FOREVER, None), None):
        replay.take(one)
    replay.close()
    return decisions
