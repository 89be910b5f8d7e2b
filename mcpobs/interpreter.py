"""How mcpobs starts its own modules in processes of their own: none of them imports from the current folder.

A server that mcpobs stands in front of keeps its own environment and Python's own rules.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping


def command(module: str, *arguments: str) -> list[str]:
    """The command that runs one of our modules. `-P` keeps the current folder out of `sys.path`."""
    return [sys.executable, "-P", "-m", module, *arguments]


def environment(env: Mapping[str, str]) -> dict[str, str]:
    """The environment without those elements of PYTHONPATH that mean the current folder, or are relative to it."""
    path = env.get("PYTHONPATH")
    if path is None:
        return dict(env)
    kept = os.pathsep.join(filter(os.path.isabs, path.split(os.pathsep)))
    return {name: value for name, value in env.items() if name != "PYTHONPATH"} | ({"PYTHONPATH": kept} if kept else {})
