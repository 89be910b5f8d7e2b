"""The stores that the contract is tested against, each with a clock that tests set."""

from __future__ import annotations

from mcpobs.policy.memory import MemoryStore
from mcpobs.policy.rows import Bounds
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


STORES: dict[str, Opener] = {"memory": memory}
