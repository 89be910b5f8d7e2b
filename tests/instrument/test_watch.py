"""The thread that looks after open calls sleeps while there are none."""

from __future__ import annotations

import threading

import pytest

from mcpobs.instrument import watch
from mcpobs.instrument.watch import Watch


def test_open_calls_are_looked_at_until_none_is_left_and_again_when_one_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "LOOK_S", 0.001)
    open_calls = {"one"}
    looked = threading.Event()

    def look(mono_ns: int) -> None:
        assert mono_ns > 0
        open_calls.clear()
        looked.set()

    watched = Watch(lambda: bool(open_calls), look)
    try:
        for _ in range(3):
            watched.wake()
            assert looked.wait(10)
            looked.clear()
            open_calls.add("next")
    finally:
        watched.close()


def test_nothing_runs_before_a_call_begins_and_one_thread_serves_all() -> None:
    before = threading.active_count()
    watched = Watch(lambda: False, lambda mono_ns: None)
    assert threading.active_count() == before
    for _ in range(100):
        watched.wake()
    assert threading.active_count() <= before + 1
    watched.close()
