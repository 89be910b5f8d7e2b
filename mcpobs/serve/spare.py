"""Keeps one process ready for the next SQL, so that a call does not wait for the engine to load (10 MB of memory)."""

from __future__ import annotations

from contextlib import suppress
from threading import Lock

from mcpobs.errors import McpobsError
from mcpobs.queries.process import Process


class Spare:
    """A process that waits, used once. Thread-safe."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._waiting: Process | None = None
        self._closed = False

    def take(self) -> Process:
        """A process for one question: the one that waits, or a new one."""
        with self._lock:
            waiting, self._waiting = self._waiting, None
        if waiting is not None:
            if waiting.alive:
                return waiting
            waiting.close()
        return Process()

    def refill(self) -> None:
        """Starts the next one, unless one waits."""
        with self._lock:
            if self._waiting is None and not self._closed:
                with suppress(McpobsError):  # the next call reports it
                    self._waiting = Process()

    def close(self) -> None:
        """Ends the one that waits; no other is started."""
        with self._lock:
            waiting, self._waiting, self._closed = self._waiting, None, True
        if waiting is not None:
            waiting.close()
