"""How long a process may overlook a halt by name that another one made in their file."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcpobs.policy.clock import Time
from mcpobs.policy.sqlite import SqliteStore
from mcpobs.policy.state import Halt, HaltScope, SessionKey
from tests.policy.conformance import START_NS
from tests.policy.stores import Hand

SESSION = SessionKey("principal:ann", "s")
MOMENT_NS = 250_000_000


@pytest.mark.parametrize(
    ("scope", "named"), [("session", False), ("principal", True), ("tenant", True), ("tool", True), ("server", True)]
)
def test_a_halt_by_name_is_overlooked_for_a_moment_and_not_after_the_next_step(
    scope: HaltScope, named: bool, tmp_path: Path
) -> None:
    hand = Hand(0)
    ours, other = (
        SqliteStore(tmp_path / "state" / "policy.db", time=Time(hand, lambda: START_NS, lambda: "boot"))
        for _ in range(2)
    )
    ours.reserve(SESSION, ())
    other.halt(Halt(scope, "x", "another" if scope == "session" else ""))
    hand.advance(MOMENT_NS)
    assert ours.had_no_named_halts
    hand.advance(1)
    assert not ours.had_no_named_halts
    ours.reserve(SESSION, ())
    assert ours.had_no_named_halts is not named
    assert other.resume(scope, "x", "another" if scope == "session" else "")
    ours.reserve(SESSION, ())
    assert ours.had_no_named_halts
    ours.halt(Halt("tool", "own"))
    assert not ours.had_no_named_halts
    for store in (ours, other):
        store.close()
