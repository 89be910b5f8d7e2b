"""Finds the command that starts the running mcpobs. A client started by the desktop has a PATH without the user's shell
settings or virtual environment, so it gets an absolute path."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Sequence
from pathlib import Path

from mcpobs.errors import UsageError
from mcpobs.installed.environment import passing


def command(given: str | None, argv0: str, python: str) -> tuple[str, ...]:
    """Returns the command that starts this mcpobs, with its leading arguments.

    `given` is the user's choice. Otherwise it is the script that was run (`argv0`); its symbolic links stay, because
    ~/.local/bin/mcpobs outlives the environment behind it. For `python -m mcpobs` it is the script beside that
    interpreter (`python`), else the interpreter, whose links stay too: a resolved path would leave its environment.

    Raises UsageError if that path lies in a cache that may be emptied at any time, as with uvx.
    """
    if given is not None:
        return _given(given)
    script = _script(argv0)
    if script is None:
        beside = Path(python).parent / "mcpobs"
        script = str(beside) if _runs(beside) else None
    words = (script,) if script is not None else (os.path.abspath(python), "-P", "-m", "mcpobs")
    if passing(words[0]) is not None:
        raise UsageError(f"this mcpobs runs from a cache that may be emptied at any time: {words[0]}", _for_good())
    return words


def found(program: str, path: str | None) -> bool:
    """Returns whether a program can be started, by its path or by a search of PATH."""
    return shutil.which(program, path=path) is not None


def _for_good() -> str:
    from mcpobs.installed.commands import for_good

    words = for_good()
    how = f": uv tool install {words}, or pipx install {words}" if words else ""
    return f"install it permanently{how}; or name a command with --command"


def _given(text: str) -> tuple[str, ...]:
    words = tuple(shlex.split(text))
    if not words or os.path.basename(words[-1]) != "mcpobs":
        raise UsageError(
            f"--command {text!r} does not end in mcpobs", "write e.g. --command mcpobs, or a path that ends in it"
        )
    return words


def _script(argv0: str) -> str | None:
    if os.path.basename(argv0) != "mcpobs":
        return None
    return os.path.abspath(argv0) if os.sep in argv0 else shutil.which(argv0)


def _runs(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)


def shown(words: Sequence[str]) -> str:
    """Returns a command line for display."""
    return shlex.join(words)
