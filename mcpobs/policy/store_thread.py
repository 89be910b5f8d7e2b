"""Runs calls to a store that blocks in one thread of its own, so that no caller waits for a disk."""

from __future__ import annotations

from collections.abc import Callable
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Any

from mcpobs.policy import forks
from mcpobs.policy.state import StoreError

MOST_WAITING = 1_024
_Call = tuple[Callable[[], Any], Callable[[Any], None]]


class StoreThread:
    """A daemon thread that works off a bounded queue, in order. It starts with the first call, so after a fork."""

    def __init__(self, most_waiting: int = MOST_WAITING) -> None:
        self._most = most_waiting
        self._lock = Lock()  # of those that submit; the thread does not take it
        self._waiting: SimpleQueue[_Call | None] = SimpleQueue()
        self._thread: Thread | None = None
        self._closed = False
        forks.watch(self)

    def submit(self, function: Callable[[], Any], done: Callable[[Any], None]) -> None:
        """Calls the function in the thread, then `done` with its result, or with the exception that it raised.

        Raises StoreError at once if the queue is full or the thread is closed; `done` is then never called. Never
        waits."""
        with self._lock:
            if self._closed:
                raise StoreError("the policy's store is closed")
            if self._waiting.qsize() >= self._most:
                hint = "the store's disk is too slow, or another process locks its file"
                raise StoreError(f"{self._most} calls wait for the policy's store", hint)
            self._waiting.put((function, done))
            if self._thread is None:
                self._thread = Thread(target=_work, args=(self._waiting,), name="mcpobs-store", daemon=True)
                self._thread.start()

    def close(self, wait_s: float | None = None) -> bool:
        """Takes no more calls. Waits until those submitted are done, at most `wait_s`; returns whether they are."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._waiting.put(None)
            thread = self._thread
        if thread is not None:
            thread.join(wait_s)
        return thread is None or not thread.is_alive()

    def forked(self) -> None:
        """A child has neither the thread nor its calls."""
        self._lock = Lock()
        self._waiting = SimpleQueue()
        self._thread = None


def _work(waiting: SimpleQueue[_Call | None]) -> None:
    """Works off a queue until `None` comes."""
    while (call := waiting.get()) is not None:
        function, done = call
        result: object
        try:
            result = function()
        except BaseException as error:  # the waiting caller must get it
            result = error
        try:
            done(result)
        except BaseException:  # the thread serves others too; `done` handles its own faults
            continue
        finally:
            del call, function, done, result
