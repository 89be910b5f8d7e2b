"""Names of tools that may pose as one that the policy names. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from mcpobs.policy.model import Layer


class Lookalikes:
    """The tools that layers name, by what a careless comparison leaves of a name."""

    def __init__(self, layers: Iterable[Layer]) -> None:
        self._known: dict[str, set[str]] = {}
        for layer in layers:
            abouts = [*(rule.what for rule in layer.rules), *(limit.what for limit in layer.limits)]
            named = [name for what in abouts for name in (*(what.tools or ()), *what.unless_tools)]
            for name in (*named, *layer.learned.tools):
                if "*" not in name:
                    self._known.setdefault(_skeleton(name), set()).add(name)

    def may_hold(self, name: str) -> bool:
        """Whether a name that no tool is known by may pose as one that the policy names: it differs from that in case,
        width or invisible characters only, or it is not ASCII."""
        known = self._known.get(_skeleton(name))
        return bool(self._known) and (name not in known if known else not name.isascii())


def _skeleton(name: str) -> str:
    """A name without what a careless comparison overlooks: case, width, spaces and invisible characters."""
    folded = unicodedata.normalize("NFKC", name).casefold()
    return "".join(c for c in folded if unicodedata.category(c)[0] not in "CZ")
