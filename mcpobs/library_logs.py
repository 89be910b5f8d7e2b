"""Keeps what peers sent out of stderr: one line for each kind of message that aiohttp or asyncio logs."""

from __future__ import annotations

import logging
from collections.abc import Callable

_LOGGERS = ("aiohttp", "asyncio")
MAX_KINDS = 64


class OncePerKind:
    """Passes a line on the first time that its kind occurs."""

    def __init__(self, warn: Callable[[str], None]) -> None:
        self._warn = warn
        self._kinds: set[str] = set()

    def __call__(self, kind: str, line: str) -> None:
        if kind not in self._kinds and len(self._kinds) < MAX_KINDS:
            self._kinds.add(kind)
            self._warn(line)


class _Handler(logging.Handler):
    """Writes the logger's name and the class of the error. Messages quote what came, so none is written."""

    def __init__(self, once: OncePerKind) -> None:
        super().__init__(logging.WARNING)
        self._once = once

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[0] if record.exc_info else None
        kind = error.__name__ if error is not None else record.levelname.lower()
        self._once(f"{record.name} {kind}", f"{record.name} logged an error ({kind}); further ones are not shown")


def replace_logs(once: OncePerKind) -> None:
    """Takes over the loggers of aiohttp and asyncio, whose messages hold request lines, headers and URLs."""
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        logger.handlers[:] = [_Handler(once)]
        logger.propagate = False
