"""Defines the errors that a user sees: what happened, with the value, and what to do next. Never a traceback."""

from __future__ import annotations

import os
from collections.abc import Iterable

from mcpobs.terminal import brief

EXIT_OK = 0
EXIT_FINDINGS = 1
EXIT_USAGE = 2
EXIT_UNAVAILABLE = 3
EXIT_INTERRUPTED = 130

_LONGEST = 256
"""Maximum length of a compared name: the time grows with the product of the lengths."""


class McpobsError(Exception):
    """An error that the user can fix. `hint` is the command or the change that helps."""

    exit_code = EXIT_USAGE

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        """Returns the text for stderr; message and hint may quote names, and are escaped here."""
        return f"mcpobs: error: {brief(self.message)}" + (f"\nhint: {brief(self.hint)}" if self.hint else "")


class UsageError(McpobsError):
    """A wrong option, name, file or query."""


class LakeError(McpobsError):
    """The lake is missing, cannot be reached, or holds too little to answer."""

    exit_code = EXIT_UNAVAILABLE


class OutputError(McpobsError):
    """The answer could not be written to stdout."""

    exit_code = EXIT_UNAVAILABLE

    def __init__(self, error: OSError) -> None:
        super().__init__(f"cannot write to stdout: {error.strerror or error}", "free some space, or write it elsewhere")


def require_folder(folder: str, option: str) -> None:
    """Raises UsageError if a folder that must exist does not. Here, because a wrapped server waits for more imports."""
    path = os.path.abspath(os.path.expanduser(folder))
    if not os.path.isdir(path):
        what = "is not a folder" if os.path.exists(path) else "does not exist"
        raise UsageError(f"{option} {folder} {what}", f"correct it, or make it: mkdir -p {path}")


def of_system(error: OSError) -> McpobsError:
    """Returns the error to show for a fault of the system that no command has explained."""
    if error.filename is None:
        return OutputError(error)  # an open file: the commands open and explain all but stdout
    return UsageError(f"cannot use {os.fsdecode(error.filename)}: {error.strerror}", "check its permissions")


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Returns the known name most similar to an unknown one, for a hint."""
    from difflib import get_close_matches  # takes 8 ms; only an error needs it

    if len(name) > _LONGEST:
        return None
    close = get_close_matches(name, [one for one in known if len(one) <= _LONGEST], n=1, cutoff=0.5)
    return close[0] if close else None
