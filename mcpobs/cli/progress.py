"""Shows on stderr what takes long: on a terminal only, after a second, and erased when it is done."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, TextIO

from mcpobs.terminal import line

if TYPE_CHECKING:
    from mcpobs.lake.engine import Connection

AFTER_S = 1.0
_EVERY_S = 0.25
_ERASE = "\r\x1b[K"


class Progress:
    """Shows what is being done, for how long, and how far it is if the engine knows."""

    def __init__(self, stream: TextIO, after_s: float) -> None:
        self._stream = stream
        self._after_s = after_s
        self._doing = "reading"
        self._connection: Connection | None = None
        self._percent = -1.0
        self._started = time.monotonic()
        self._done = Event()
        self._lock = Lock()  # a line is never written after the last erasure
        self._drawn = False
        self._thread = Thread(target=self._show, name="mcpobs-progress", daemon=True)
        self._thread.start()

    def step(self, doing: str) -> None:
        """Shows another step from now on."""
        self._doing = doing

    def follow(self, connection: Connection) -> None:
        """Shows how far the connection's query is."""
        from mcpobs.lake.engine import EngineError  # who follows one has loaded it

        with suppress(EngineError):
            connection.execute("set enable_progress_bar_print = false")  # or DuckDB draws one on stdout
            connection.execute("set enable_progress_bar = true")
            self._connection = connection

    def reached(self, percent: float) -> None:
        """How far a query is that runs in a process of its own."""
        self._percent = percent

    def end(self) -> None:
        """Erases the line. May be called more than once."""
        with self._lock:
            self._connection = None
            self._done.set()
            if self._drawn:
                self._write(_ERASE)
                self._drawn = False

    def _show(self) -> None:
        self._done.wait(self._after_s)
        while not self._done.is_set():
            with self._lock:
                if not self._done.is_set():
                    self._drawn = True
                    self._write(f"{_ERASE}{line(self._line()).rstrip()}")
            self._done.wait(_EVERY_S)

    def _line(self) -> str:
        line = f"{self._doing} … {time.monotonic() - self._started:.0f} s"
        share = self._percent
        if self._connection is not None:
            from mcpobs.lake.engine import EngineError

            with suppress(EngineError):
                share = self._connection.query_progress()
        return f"{line}, {share:.0f} %" if 0 < share < 100 else line

    def _write(self, text: str) -> None:
        with suppress(OSError, ValueError):  # a terminal that is gone is no reason to fail
            self._stream.write(text)
            self._stream.flush()


class Silent:
    """Shows nothing: stderr is no terminal."""

    def step(self, doing: str) -> None: ...

    def follow(self, connection: Connection) -> None: ...

    def reached(self, percent: float) -> None: ...

    def end(self) -> None: ...


@contextmanager
def progress(*, wanted: bool = True) -> Iterator[Progress | Silent]:
    """For as long as the block runs. Call `end` before anything else is written."""
    if not wanted or sys.stderr is None or not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        yield Silent()
        return
    telling = Progress(sys.stderr, AFTER_S)
    try:
        yield telling
    finally:
        telling.end()
