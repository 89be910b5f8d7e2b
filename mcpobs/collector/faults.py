"""Logs our own faults, each kind once, because under load one fault occurs a thousand times. Ends nothing."""

from __future__ import annotations

import logging
import traceback

_logger = logging.getLogger("mcpobs.collector")
_logged: set[str] = set()


def log(error: Exception) -> None:
    """Logs an error that was turned into an answer."""
    kind = type(error).__qualname__
    if kind not in _logged:
        _logged.add(kind)
        # An error's message may quote received data: only its class and traceback are logged.
        frames = "".join(traceback.format_tb(error.__traceback__))
        _logger.error("a request failed (%s); further failures of this kind are only counted\n%s", kind, frames)
