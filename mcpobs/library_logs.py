"""Keeps data from peers out of stderr: writes one line for each kind of message that aiohttp or asyncio logs."""

from __future__ import annotations

import logging

from mcpobs.stderr import Once

_LOGGERS = ("aiohttp", "asyncio")


class _Handler(logging.Handler):
    """Writes the logger's name and the class of the error. Messages quote received data, so none is written."""

    def __init__(self, once: Once) -> None:
        super().__init__(logging.WARNING)
        self._once = once

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[0] if record.exc_info else None
        kind = error.__name__ if error is not None else record.levelname.lower()
        self._once(f"{record.name} {kind}", f"{record.name} logged an error ({kind}); further ones are not shown")


def replace_logs(once: Once) -> None:
    """Takes over the loggers of aiohttp and asyncio, whose messages hold request lines, headers and URLs."""
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        logger.handlers[:] = [_Handler(once)]
        logger.propagate = False
