"""Looks after the calls under way in this process, in one thread that sleeps while there are none.

A timer of the event loop would not do: a handler that blocks the loop is what hangs most often. A thread that is
daemonic and sleeps costs the process nothing; a call costs it one look at a flag.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress

from mcpobs.gate.waiting import LOOK_S


class Watch:
    """Calls `look` with the monotonic time once a second while `any_open`, from the first `wake` on. After a fork the
    child makes its own."""

    def __init__(self, any_open: Callable[[], bool], look: Callable[[int], None]) -> None:
        self._any_open = any_open
        self._look = look
        self._busy = threading.Event()
        self._over = threading.Event()
        self._started = False

    def wake(self) -> None:
        """A call began."""
        if self._busy.is_set():
            return
        self._busy.set()
        if not self._started:
            self._started = True
            with suppress(RuntimeError):  # no thread to be had: no call has a pending line
                threading.Thread(target=self._run, name="mcpobs-open-calls", daemon=True).start()

    def close(self) -> None:
        self._over.set()
        self._busy.set()

    def _run(self) -> None:
        while not self._over.is_set():
            self._busy.wait()
            self._busy.clear()  # a call that begins from here on wakes it again
            while self._any_open() and not self._over.wait(LOOK_S):
                self._look(time.monotonic_ns())
