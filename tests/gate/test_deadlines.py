"""The deadlines of decisions: each is kept, whichever one the thread waits for, and nothing that is decided is kept."""

from __future__ import annotations

import gc
import threading
import weakref

import pytest

from mcpobs.gate.deadlines import Deadlines
from mcpobs.gate.decisions import FORWARD, Begin, Pending

SOON_S = 0.02
NEVER_S = 3_600.0
WAIT_S = 30.0


def expires(deadlines: Deadlines, after_s: float) -> tuple[Pending[Begin], threading.Event]:
    pending: Pending[Begin] = Pending(after_s)
    over = threading.Event()
    pending.when_done(lambda _: over.set())
    deadlines.watch(pending)
    return pending, over


@pytest.mark.parametrize(
    "before",
    [[], [NEVER_S], [SOON_S], [NEVER_S, SOON_S], [SOON_S, NEVER_S]],
    ids=["first", "later one", "earlier one", "both", "both, the later one last"],
)
def test_a_deadline_is_kept_whatever_is_waited_for(before: list[float]) -> None:
    deadlines = Deadlines()
    kept = []
    for after_s in before:
        kept.append(expires(deadlines, after_s))
        if after_s == SOON_S:
            assert kept[-1][1].wait(WAIT_S)
    pending, over = expires(deadlines, SOON_S)
    assert over.wait(WAIT_S)
    with pytest.raises(TimeoutError):
        pending.result()
    assert all(one.done == (after_s == SOON_S) for (one, _), after_s in zip(kept, before, strict=True))


def test_what_is_decided_is_let_go_with_the_next_one() -> None:
    deadlines = Deadlines()
    gone = []
    for _ in range(5):
        pending, _ = expires(deadlines, NEVER_S)
        pending.complete(FORWARD)
        gone.append(weakref.ref(pending))
    del pending
    last, _ = expires(deadlines, NEVER_S)
    gc.collect()
    assert [one() for one in gone] == [None] * 5
    assert not last.done
