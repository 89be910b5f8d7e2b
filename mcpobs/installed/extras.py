"""Turns a failed import of an optional package into one line and the command that installs it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mcpobs.errors import UsageError


@contextmanager
def needing(what: str, extra: str) -> Iterator[None]:
    """Imports in its body may fail: `what` then needs `extra`. Raises UsageError."""
    try:
        yield
    except ImportError as error:
        raise _lacking(what, extra, error) from None


def _lacking(what: str, extra: str, error: ImportError) -> UsageError:
    name = error.name or "a package"
    if name.partition(".")[0] == "mcpobs":
        return UsageError(f"mcpobs is damaged: {error}", "`mcpobs doctor` says which package did it, and what to do")
    from mcpobs.installed.commands import add_extra  # reads metadata, which only an error pays

    if isinstance(error, ModuleNotFoundError):
        return UsageError(f"{what} needs {name}", add_extra(extra))
    return UsageError(f"{what} needs {name}, which cannot be loaded: {error}", add_extra(extra))
