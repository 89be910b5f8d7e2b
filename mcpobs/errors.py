"""Errors that a user sees: what happened, with the value, and what to do next. Never a traceback."""

from __future__ import annotations

from collections.abc import Iterable

EXIT_OK = 0
EXIT_FINDINGS = 1
EXIT_USAGE = 2
EXIT_UNAVAILABLE = 3
EXIT_INTERRUPTED = 130


class McpobsError(Exception):
    """Something that the user can mend. `hint` is the command or the change that helps."""

    exit_code = EXIT_USAGE

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"mcpobs: error: {self.message}" + (f"\nhint: {self.hint}" if self.hint else "")


class UsageError(McpobsError):
    """A wrong option, name, file or query."""


class LakeError(McpobsError):
    """The lake is missing, cannot be reached, or holds too little to answer."""

    exit_code = EXIT_UNAVAILABLE


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that is most like an unknown one, for a hint."""
    from difflib import get_close_matches  # 8 ms that only an error pays

    close = get_close_matches(name, list(known), n=1, cutoff=0.5)
    return close[0] if close else None
