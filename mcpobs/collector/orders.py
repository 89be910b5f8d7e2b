"""The orders of a process that works for the collector: lines on stdin, whose end ends the process."""

from __future__ import annotations

import os
import select
import time

CHUNK = 1 << 12


class Orders:
    """Reads orders. `last_s` is the time that the process has after the end of stdin."""

    def __init__(self, last_s: float) -> None:
        self._last_s = last_s
        self._ended_s: float | None = None
        self.text = b""
        """What was read last."""

    @property
    def ended(self) -> bool:
        return self._ended_s is not None

    def wait(self, seconds: float) -> bool:
        """Waits until there may be work; returns whether a line or the end came."""
        self.text = b""
        if self.ended:
            return True
        ready, _, _ = select.select([0], [], [], seconds)
        if ready:
            self.text = os.read(0, CHUNK)
            if not self.text:
                self._ended_s = time.monotonic()
        return bool(ready)

    def overdue(self) -> bool:
        """Returns whether the time since the end of stdin is over. Drops lines that it finds: the work at hand covers
        them."""
        self.wait(0)
        return self._ended_s is not None and time.monotonic() - self._ended_s > self._last_s
