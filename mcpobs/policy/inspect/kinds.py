"""Makes the inspectors of an entry of `inspect`. Loads only those that the entry needs: detectors are heavy."""

from __future__ import annotations

from importlib import import_module

from mcpobs.policy.inspect.inspector import Context, Inspector, MakeInspector
from mcpobs.policy.inspect.words import INSPECTORS
from mcpobs.policy.model import Inspection


def inspectors(entry: Inspection, context: Context) -> list[Inspector]:
    """Returns one inspector for each kind that `find` names. Each module of a kind has a function `make`."""
    finds: dict[str, set[str]] = {}
    for word in entry.find:
        finds.setdefault(INSPECTORS[word], set()).add(word)
    return [_maker(name)(entry, frozenset(words), context) for name, words in finds.items()]


def _maker(name: str) -> MakeInspector:
    make: MakeInspector = import_module(f"mcpobs.policy.inspect.{name}").make
    return make
