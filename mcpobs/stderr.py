"""Writes mcpobs's lines to stderr: warnings, notes, and faults of our own. Never waits for a reader, never raises.

stderr is shared with the observed server, so each line is one write. Everything is escaped (`terminal`), because
messages quote names that peers chose. stdout is never used: it may be the wire.
"""

from __future__ import annotations

import os
import select
from collections.abc import Callable

from mcpobs.terminal import line, warning

STDERR = 2
WAIT_MS = 100  # for room in a full pipe; else the line is dropped
MAX_KEYS = 64

Warn = Callable[[str], None]
"""Writes a warning. A hint follows the message after `terminal.HINT`."""


def warn(message: str) -> None:
    """Writes `mcpobs: warning: …`, and the message's hint on a separate line."""
    _write(warning(f"warning: {message}"))


def say(message: str) -> None:
    """Writes `mcpobs: …`: a note that is not a warning."""
    _write(line(message))


def _write(text: str) -> None:
    try:
        poll = select.poll()
        poll.register(STDERR, select.POLLOUT)
        if poll.poll(WAIT_MS):
            os.write(STDERR, text.encode(errors="replace"))
    except OSError:
        pass


class Once:
    """Writes each warning the first time only, by its key. Remembers at most MAX_KEYS keys; later ones are dropped."""

    def __init__(self, warn: Warn = warn) -> None:
        self._warn = warn
        self._keys: set[str] = set()

    def __call__(self, key: str, message: str) -> None:
        if key not in self._keys and len(self._keys) < MAX_KEYS:
            self._keys.add(key)
            self._warn(message)


class Faults:
    """Reports exceptions of our own: the first one only, by class and place, because the text may quote content.

    `what` names the failed action and `outcome` the effect on the call, e.g. "the server goes on"."""

    def __init__(self, what: str, outcome: str, warn: Warn = warn) -> None:
        self._what = what
        self._outcome = outcome
        self._once = Once(warn)

    def report(self, error: BaseException) -> None:
        self._once("fault", f"{self._what} ({fault(error)}); {self._outcome}")


def fault(error: BaseException) -> str:
    """Names an exception by its class and the line that raised it, without its text."""
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    place = f"{frame.tb_frame.f_code.co_filename}:{frame.tb_lineno}" if frame else "?"
    return f"{type(error).__name__} at {place}"
