"""The stores that the contract is tested against, each with a clock that tests set."""

from __future__ import annotations

import itertools
import shutil
import tempfile
import weakref
from pathlib import Path
from typing import Any, cast

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


class _Folder:
    """A folder that goes with the last store in it."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="mcpobs-test-"))
        weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)


class _InFolder(SqliteStore):
    def __init__(self, folder: _Folder, bounds: Bounds, time: Time) -> None:
        self.folder = folder
        super().__init__(folder.path / "policy.db", bounds=bounds, time=time)


def sqlite(bounds: Bounds) -> Opened:
    folder, hand = _Folder(), Hand(0)
    time = Time(hand, lambda: START_NS, lambda: "boot")

    def reopen() -> Store:
        opened.store.close()
        opened.store = _InFolder(folder, bounds, time)
        return opened.store

    opened = Opened(_InFolder(folder, bounds, time), hand.advance, reopen)
    return opened


class _Turns:
    """The stores of several processes: each step is taken by another one, or by the same one again."""

    def __init__(self, *stores: Store) -> None:
        self._stores = stores
        self._turns = itertools.cycle((0, 0, 0, 1, 0, 1, 1))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stores[next(self._turns)], name)

    def close(self) -> None:
        for store in self._stores:
            store.close()


def sqlite_in_turns(bounds: Bounds) -> Opened:
    """One file that two connections use."""
    folder, hand = _Folder(), Hand(0)
    time = Time(hand, lambda: START_NS, lambda: "boot")
    stores = [_InFolder(folder, bounds, time) for _ in range(2)]
    return Opened(cast("Store", _Turns(*stores)), hand.advance)


STORES: dict[str, Opener] = {"memory": memory, "sqlite": sqlite}
