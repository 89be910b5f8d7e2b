"""Builds the commands that start mcpobs's own modules as separate processes, which never import from the current
folder.

They are isolated from the environment if this process is. An observed server keeps its own environment and Python's own
rules.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping


def command(module: str, *arguments: str) -> list[str]:
    """Returns the command that runs one of our modules."""
    return [*python(), "-m", module, *arguments]


def python() -> list[str]:
    """Returns the interpreter. `-P` keeps the current folder out of `sys.path`; `-E` ignores variables of Python."""
    return [sys.executable, *(["-E"] if sys.flags.ignore_environment else []), "-P"]


def environment(env: Mapping[str, str]) -> dict[str, str]:
    """Returns the environment without elements of PYTHONPATH that are the current folder or relative to it."""
    path = env.get("PYTHONPATH")
    if path is None:
        return dict(env)
    kept = os.pathsep.join(filter(os.path.isabs, path.split(os.pathsep)))
    return {name: value for name, value in env.items() if name != "PYTHONPATH"} | ({"PYTHONPATH": kept} if kept else {})
