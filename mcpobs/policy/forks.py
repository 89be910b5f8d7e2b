"""Renews objects in a child process: it has neither the threads of its parent nor whoever would release a lock."""

from __future__ import annotations

import os
import weakref
from typing import Protocol


class Renewed(Protocol):
    def forked(self) -> None:
        """Called in a child, before anything else of it runs. Must not wait."""


_watched: weakref.WeakSet[Renewed] = weakref.WeakSet()


def watch(one: Renewed) -> None:
    """Renews an object, as long as it lives, in each child."""
    _watched.add(one)


def _forked() -> None:
    for one in list(_watched):
        one.forked()


os.register_at_fork(after_in_child=_forked)
