"""Flushes queued spans and rows at the process's end, also on SIGTERM, after which no other Python code runs."""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from types import FrameType

FLUSH_S = 5.0


class Shutdown:
    """Calls `close` at the end of the process. Chains the handler of SIGTERM, if Python may install one."""

    def __init__(self, close: Callable[[], None]) -> None:
        self._close = close
        self._before: object = None
        self._installed = False

    def open(self) -> None:
        atexit.register(self._end)
        if threading.current_thread() is not threading.main_thread():
            return
        before = signal.getsignal(signal.SIGTERM)
        if before is None or before is signal.SIG_IGN:  # not installed by Python; or it does not end the process
            return
        self._before = before
        signal.signal(signal.SIGTERM, self._terminate)
        self._installed = True

    def close(self) -> None:
        atexit.unregister(self._end)
        if not self._installed:
            return
        self._installed = False
        # A handler that came after ours holds ours, which then only passes the signal on.
        with suppress(ValueError):  # not the main thread
            if signal.getsignal(signal.SIGTERM) == self._terminate:
                signal.signal(signal.SIGTERM, self._before)  # type: ignore[arg-type]  # it came from getsignal

    def _terminate(self, number: int, frame: FrameType | None) -> None:
        if self._installed:
            self._flush()
        if callable(self._before):
            self._before(number, frame)
            return
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    def _flush(self) -> None:
        """Flushes in a thread of its own, because this one may hold a lock that the flush needs."""

        def work() -> None:
            self._end()
            flush_provider()

        thread = threading.Thread(target=work, name="mcpobs-end", daemon=True)
        with suppress(RuntimeError):  # no thread to be had
            thread.start()
            thread.join(FLUSH_S)

    def _end(self) -> None:
        with suppress(Exception):  # the end of somebody else's process
            self._close()


def flush_provider() -> None:
    """Sends the spans that the process's own TracerProvider has queued."""
    trace = sys.modules.get("opentelemetry.trace")
    if trace is None:
        return
    with suppress(Exception):
        flush = getattr(trace.get_tracer_provider(), "force_flush", None)
        if flush is not None:
            flush(int(FLUSH_S * 1000))
