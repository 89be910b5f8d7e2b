"""What the names and types of flat arguments say for themselves, remembered: the shape, and the names' features.

Calls of one tool differ in their values far more often than in their members. Holds no value, and bounds what it
holds: names are chosen by the caller.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from mcpobs.protocol.declared import Declared
from mcpobs.protocol.features import Names, Shown, names_in
from mcpobs.protocol.shape import SCALARS

MAX_LAYOUTS = 64  # few, for each keeps what its tool declares
MAX_MEMBERS = 16
MAX_NAMES = 1_024  # characters of all names of one object


class Layout(NamedTuple):
    declared: Declared | None  # for which the shape holds
    shape: str
    names: Names


class Layouts:
    """The layouts of objects that hold neither objects nor arrays. `shape_of` is asked once for each of them.

    `shown` makes the names that may be recorded, from what is declared.
    """

    def __init__(
        self, shape_of: Callable[[object, Declared | None], str], shown: Callable[[Declared | None], Shown]
    ) -> None:
        self._shape_of = shape_of
        self._shown = shown
        self._known: dict[tuple[object, ...], Layout] = {}

    def of(self, value: dict[str, object], declared: Declared | None) -> Layout | None:
        """The layout of an object; None where it is not flat or too large to be remembered."""
        if len(value) > MAX_MEMBERS:
            return None
        members = (*value, *map(type, value.values()))
        known = self._known.get(members)
        if known is not None and known.declared is declared:
            return known
        if not SCALARS.keys() >= set(members[len(value) :]) or sum(map(len, value)) > MAX_NAMES:
            return None
        if len(self._known) >= MAX_LAYOUTS:
            self._known.clear()
        names = names_in(value, self._shown(declared))
        if len(names.shown) < len(value):  # two hashes are equal
            return None
        found = self._known[members] = Layout(declared, self._shape_of(value, declared), names)
        return found
