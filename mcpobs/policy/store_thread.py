"""Runs calls to a store that blocks in one thread of its own, so that no caller waits for a disk."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from threading import Condition, Thread
from typing import Any

from mcpobs.policy import forks
from mcpobs.policy.state import StoreError

MOST_WAITING = 1_024


class StoreThread:
    """A daemon thread that works off a bounded queue, in order. It starts with the first call, so after a fork."""

    def __init__(self, most_waiting: int = MOST_WAITING) -> None:
        self._most = most_waiting
        self._changed = Condition()
        self._waiting: deque[tuple[Callable[[], Any], Callable[[Any], None]]] = deque()
        self._thread: Thread | None = None
        self._closed = False
        forks.watch(self)

    def submit(self, function: Callable[[], Any], done: Callable[[Any], None]) -> None:
        """Calls the function in the thread, then `done` with its result, or with the exception that it raised.

        Raises StoreError at once if the queue is full or the thread is closed; `done` is then never called. Never
        waits."""
        with self._changed:
            if self._closed:
                raise StoreError("the policy's store is closed")
            if len(self._waiting) >= self._most:
                hint = "the store's disk is too slow, or another process locks its file"
                raise StoreError(f"{self._most} calls wait for the policy's store", hint)
            self._waiting.append((function, done))
            if self._thread is None:
                self._thread = Thread(target=self._work, name="mcpobs-store", daemon=True)
                self._thread.start()
            self._changed.notify()

    def close(self, wait_s: float | None = None) -> bool:
        """Takes no more calls. Waits until those submitted are done, at most `wait_s`; returns whether they are."""
        with self._changed:
            self._closed = True
            self._changed.notify()
            thread = self._thread
        if thread is not None:
            thread.join(wait_s)
        return thread is None or not thread.is_alive()

    def forked(self) -> None:
        """A child has neither the thread nor its calls."""
        self._changed = Condition()
        self._waiting.clear()
        self._thread = None

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._waiting:
                    if self._closed:
                        return
                    self._changed.wait()
                function, done = self._waiting.popleft()
            result: object
            try:
                result = function()
            except BaseException as error:  # whoever waits has to hear of it
                result = error
            try:
                done(result)
            except BaseException:  # the thread serves others too; `done` handles its own faults
                continue
            finally:
                del function, done, result
