"""The stores that the contract is tested against, each with a clock that tests set."""

from __future__ import annotations

import tempfile
from pathlib import Path

from mcpobs.policy.clock import Time
from mcpobs.policy.memory import MemoryStore
from mcpobs.policy.rows import Bounds
from mcpobs.policy.sqlite import SqliteStore
from mcpobs.policy.state import Store
from tests.policy.conformance import START_NS, Opened, Opener


class Hand:
    """A clock that goes when it is advanced."""

    def __init__(self, now_ns: int = START_NS) -> None:
        self.now_ns = now_ns

    def __call__(self) -> int:
        return self.now_ns

    def advance(self, step_ns: int) -> None:
        self.now_ns += step_ns


def memory(bounds: Bounds) -> Opened:
    hand = Hand()
    return Opened(MemoryStore(hand, bounds), hand.advance)


def sqlite(bounds: Bounds) -> Opened:
    folder = tempfile.TemporaryDirectory(prefix="mcpobs-test-")
    hand = Hand(0)
    time = Time(hand, lambda: START_NS, lambda: "boot")

    def reopen() -> Store:
        opened.store.close()
        opened.store = SqliteStore(Path(folder.name) / "policy.db", bounds=bounds, time=time)
        return opened.store

    opened = Opened(SqliteStore(Path(folder.name) / "policy.db", bounds=bounds, time=time), hand.advance, reopen)
    return opened


STORES: dict[str, Opener] = {"memory": memory, "sqlite": sqlite}
