"""Replaces attributes of other packages' classes and modules, and restores them exactly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple


class _Patch(NamedTuple):
    owner: Any
    name: str
    own: bool  # the owner had the attribute itself; it did not inherit it
    before: object
    ours: object


class Patches:
    """Replaces attributes; `undo` puts all of them back, the last one first."""

    def __init__(self) -> None:
        self._made: list[_Patch] = []

    def replace(self, owner: Any, name: str, make: Callable[[Any], Any]) -> bool:
        """Replaces an attribute by `make(attribute)`. False if the owner has no such attribute."""
        before = getattr(owner, name, None)
        if before is None:
            return False
        ours = make(before)
        self._made.append(_Patch(owner, name, name in vars(owner), vars(owner).get(name), ours))
        setattr(owner, name, ours)
        return True

    def undo(self) -> None:
        """Restores the attributes. One that was wrapped since stays: it calls ours, which does nothing any more."""
        while self._made:
            patch = self._made.pop()
            if vars(patch.owner).get(patch.name) is not patch.ours:
                continue
            if patch.own:
                setattr(patch.owner, patch.name, patch.before)
            else:
                delattr(patch.owner, patch.name)
