"""Keeps counts since the lake began, as transactions of the table.

So they are written with their rows or not at all, and survive checkpoints, unlike a note in the Delta log's commits.
They have no time, so they never expire. No writer's name has a colon.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from mcpobs.lake.delta import Progress
from mcpobs.lake.snapshot import Snapshot

DAMAGED_LINES: Final = "mcpobs:damaged_lines"
DUPLICATES: Final = "mcpobs:duplicates"
IMPLAUSIBLE_TIMES: Final = "mcpobs:implausible_times"


def added(state: Snapshot, more: Mapping[str, int]) -> list[Progress]:
    """Returns the transactions that raise the totals; none for a count that does not change."""
    return [Progress(name, total(state, name) + n, expires=False) for name, n in more.items() if n]


def total(state: Snapshot, name: str) -> int:
    return state.covered(name)
