"""A call in progress: how long it may take, and how another thread ends it. Knows no tool and no protocol."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import Literal

from mcpobs.lake.engine import Connection, EngineError
from mcpobs.lake.reader import Reading, open_reading

Reason = Literal["cancelled", "timeout", "closing"]


class Stopped(Exception):
    """The call was ended from outside; the reason is in `Running.stopped`."""


class Running:
    """What a call reads the lake with, so that it can be ended in the middle of a query."""

    def __init__(self) -> None:
        self.stopped: Reason | None = None
        self._lock = Lock()
        self._connection: Connection | None = None

    def stop(self, reason: Reason) -> None:
        """Ends what the call does. To be said again until the call has ended, for an interrupt that comes between
        two statements is lost."""
        with self._lock:
            self.stopped = self.stopped or reason
            if self._connection is not None:
                with suppress(EngineError):
                    self._connection.interrupt()

    def check(self) -> None:
        """Raises Stopped where the call is not wanted any more."""
        if self.stopped is not None:
            raise Stopped

    @contextmanager
    def reading(self, lake: Path, since: int | None = None, until: int | None = None) -> Iterator[Reading]:
        """An open reading of the lake that `stop` interrupts. Raises Stopped where that happened, whatever error
        the work in it made of it."""
        self.check()
        with open_reading(lake, since_unix_nano=since, until_unix_nano=until) as reading:
            with self._lock:
                self._connection = reading.connection
            try:
                self.check()
                yield reading
            except Exception:
                self.check()
                raise
            finally:
                with self._lock:
                    self._connection = None
        self.check()
