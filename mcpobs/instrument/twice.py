"""Notices that a front of mcpobs stands in front of this process already. Linux only: reads /proc."""

from __future__ import annotations

import os
from typing import Final

_FARTHEST: Final = 8
"""Processes between the front and the server: shells, launchers, package runners."""
WARNING: Final = (
    "this server is recorded twice: `mcpobs instrument` is in front of it already (pid {})\n"
    "hint: leave out one of them, or give both one --name, so that a call counts once"
)


def front_above() -> int | None:
    """Returns the pid of the nearest wrapper above this process; None if there is none."""
    pid = os.getppid()
    for _ in range(_FARTHEST):
        if pid <= 1:
            return None
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                words = file.read(1 << 16).split(b"\0")
            if _is_wrapper(words):
                return pid
            with open(f"/proc/{pid}/stat", "rb") as file:
                pid = int(file.read().rpartition(b")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            return None
    return None


def _is_wrapper(words: list[bytes]) -> bool:
    """Returns whether a command line is that of `mcpobs instrument -- COMMAND`."""
    for at, word in enumerate(words[:-1]):
        if os.path.basename(word) == b"mcpobs" and words[at + 1] == b"instrument":
            own = words[at + 2 : words.index(b"--", at)] if b"--" in words[at:] else words[at + 2 :]
            return b"--in-process" not in own and not any(w.startswith(b"--upstream") for w in own)
    return False
