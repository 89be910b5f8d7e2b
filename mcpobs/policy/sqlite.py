"""Counters, facts and halts in one file that all processes of a host share. Every step is one transaction."""

from __future__ import annotations

import os
from pathlib import Path

from mcpobs.policy.clock import Time
from mcpobs.policy.ledger import Ledger
from mcpobs.policy.rows import Bounds
from mcpobs.policy.sqlite_rows import SqliteRows

WAIT_S = 0.25
"""How long a step waits for other processes."""


class SqliteStore(Ledger):
    """The store at a path, opened at once. Methods do I/O, and wait up to `wait_s` for other processes."""

    blocks = True

    def __init__(
        self,
        path: str | os.PathLike[str],
        wait_s: float = WAIT_S,
        bounds: Bounds | None = None,
        time: Time | None = None,
    ) -> None:
        bounds = bounds or Bounds()
        rows = SqliteRows(Path(path), wait_s, bounds, time or Time())
        self.now_ns = rows.steps.now_ns
        super().__init__(rows, bounds)
