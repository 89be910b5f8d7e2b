"""The colours of a table on a terminal: failures red, absent values dim, headings bold; and which cells are failures.

Pure."""

from __future__ import annotations

from mcpobs.output import units

_BOLD, _RED, _DIM, _PLAIN = "\x1b[1m", "\x1b[31m", "\x1b[2m", "\x1b[0m"

_FAILURES = frozenset({"failed", "failed_ratio", "error_ratio", "rejected", "server_errors", "denied", "wasted"})
"""Columns whose number counts failures, unless it is zero."""
_ENDINGS = frozenset({"outcome", "effect"})
_FINE = frozenset({"ok", "warn", "allow"})
_ZERO = frozenset({"0", "0.0", "0.0000"})


def bold(text: str) -> str:
    return f"{_BOLD}{text}{_PLAIN}"


def painted(name: str, whole: str, text: str) -> str:
    """A part of a cell of the column in its colour; `whole` is all of the cell's text."""
    if not text.strip():
        return text
    if whole == units.NOTHING:
        return f"{_DIM}{text}{_PLAIN}"
    return f"{_RED}{text}{_PLAIN}" if is_failure(name, whole) else text


def is_failure(name: str, whole: str) -> bool:
    """Whether a cell of the column, with this text, is about something that failed."""
    if whole == units.NOTHING:
        return False
    return whole not in _ZERO if name in _FAILURES else name in _ENDINGS and whole not in _FINE


def counts_failures(name: str) -> bool:
    """Whether each number of the column counts failures."""
    return name in _FAILURES
