"""A call in progress: how long it may take, and how another thread ends it. Knows no tool and no protocol."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import Literal

from mcpobs.lake.engine import EngineError
from mcpobs.lake.reader import Reading, open_reading
from mcpobs.queries.process import Process

Reason = Literal["cancelled", "timeout", "closing"]


class Stopped(Exception):
    """The call was ended from outside; the reason is in `Running.stopped`."""


class Running:
    """Opens the lake for a call, so that the call can be ended in the middle of a query."""

    def __init__(self) -> None:
        self.stopped: Reason | None = None
        self._lock = Lock()
        self._end: Callable[[], None] | None = None

    def stop(self, reason: Reason) -> None:
        """Ends what the call does. To be said again until the call has ended, for an interrupt that comes between
        two statements is lost."""
        with self._lock:
            self.stopped = self.stopped or reason
            if self._end is not None:
                with suppress(EngineError):
                    self._end()

    def check(self) -> None:
        """Raises Stopped if the call is not wanted any more."""
        if self.stopped is not None:
            raise Stopped

    @contextmanager
    def reading(self, lake: Path, since: int | None = None, until: int | None = None) -> Iterator[Reading]:
        """An open reading of the lake that `stop` interrupts. Raises Stopped if that happened, whatever error
        the work in it made of it."""
        self.check()
        with (
            open_reading(lake, since_unix_nano=since, until_unix_nano=until) as reading,
            self._ended_by(reading.connection.interrupt),
        ):
            yield reading
        self.check()

    @contextmanager
    def process(self, process: Process) -> Iterator[Process]:
        """A process that `stop` kills; it is closed afterwards. Raises Stopped as `reading` does."""
        with process, self._ended_by(process.kill):
            yield process
        self.check()

    @contextmanager
    def _ended_by(self, end: Callable[[], None]) -> Iterator[None]:
        with self._lock:
            self._end = end
        try:
            self.check()
            yield
        except Exception:
            self.check()
            raise
        finally:
            with self._lock:
                self._end = None
