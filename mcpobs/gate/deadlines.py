"""Fails decisions that are not made in time, in one thread that starts with the first of them."""

from __future__ import annotations

import heapq
import itertools
import math
import time
from contextlib import suppress
from threading import Condition, Thread
from typing import Any

from mcpobs.gate.decisions import Pending


class Deadlines:
    """Watches pending decisions of one gate. A judge that never decides so holds up a call until its deadline only."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._waiting: list[tuple[float, int, Pending[Any]]] = []
        self._order = itertools.count()
        self._wakes_at_s = 0.0
        self._thread: Thread | None = None

    def watch(self, pending: Pending[Any]) -> None:
        with self._changed:
            while self._waiting and self._waiting[0][2].done:
                heapq.heappop(self._waiting)
            heapq.heappush(self._waiting, (pending.deadline_mono_s, next(self._order), pending))
            if self._thread is None:
                self._thread = Thread(target=self._run, name="mcpobs-deadlines", daemon=True)
                self._thread.start()
            elif pending.deadline_mono_s < self._wakes_at_s:  # else it wakes early enough, and decisions need no thread
                self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._waiting or (left_s := self._waiting[0][0] - time.monotonic()) > 0:
                    self._wakes_at_s = self._waiting[0][0] if self._waiting else math.inf
                    self._changed.wait(left_s if self._waiting else None)
                    self._wakes_at_s = 0.0
                _, _, pending = heapq.heappop(self._waiting)
            with suppress(Exception):  # a front that cannot be woken must not stop the deadlines of others
                pending.fail(TimeoutError("no decision by the deadline"))
