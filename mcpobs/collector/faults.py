"""Logs our own faults, each kind once: under load one fault is a thousand of them. Ends nothing."""

from __future__ import annotations

import logging
import traceback

_logger = logging.getLogger("mcpobs.collector")
_told: set[str] = set()


def tell(error: Exception) -> None:
    """Logs an error that becomes an answer."""
    kind = type(error).__qualname__
    if kind not in _told:
        _told.add(kind)
        # The message of an error may quote what was sent: its class and place are logged.
        frames = "".join(traceback.format_tb(error.__traceback__))
        _logger.error("a request failed (%s); further failures of this kind are only counted\n%s", kind, frames)
