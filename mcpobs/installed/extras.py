"""Turns a failed import of an optional package into one line and the command that installs it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mcpobs.errors import UsageError


@contextmanager
def needing(what: str, extra: str) -> Iterator[None]:
    """Runs imports that may fail because `what` needs `extra`. Raises UsageError."""
    try:
        yield
    except ImportError as error:
        raise _lacking(what, extra, error) from None


def _lacking(what: str, extra: str, error: ImportError) -> UsageError:
    name = error.name or "a package"
    if is_own(error):
        return damaged(error)
    from mcpobs.installed.commands import add_extra  # reads metadata, only for an error

    if isinstance(error, ModuleNotFoundError):
        return UsageError(f"{what} needs {name}", add_extra(extra))
    return UsageError(f"{what} needs {name}, which cannot be loaded: {error}", add_extra(extra))


def is_own(error: ImportError) -> bool:
    """Returns whether one of our modules is missing or incomplete."""
    return (error.name or "").partition(".")[0] == "mcpobs"


def damaged(error: ImportError) -> UsageError:
    """Returns the error for a copy whose files were removed or replaced, e.g. by a foreign distribution with the same
    package."""
    from mcpobs.installed.commands import repair

    return UsageError(f"this installation of mcpobs is damaged: {error}", repair())
