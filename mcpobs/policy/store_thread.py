"""Placeholder until the branch with the SQLite store is merged."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class StoreThread:
    """Runs calls to a store in one thread."""

    def submit(self, function: Callable[[], Any], done: Callable[[Any], None]) -> None:
        raise NotImplementedError
