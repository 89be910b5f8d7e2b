"""Loads the automaton of the expressions (`automaton.bin`), which says in one pass which of them a text may hold.

An expression that the file does not have, and every one without the library in C, is looked for by RE2 sets instead:
the same is found.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from importlib.resources import files
from typing import NamedTuple

from mcpobs.detect.native.automaton import Automaton, Table, Target

FILE = "automaton.bin"


class Sought(NamedTuple):
    """An expression, what has to stand within a distance of it, and that distance."""

    regex: str
    near: str = ""
    within: int = 0


def name(regex: str) -> str:
    return f"{zlib.crc32(regex.encode()):08x}"


def loaded(every: Sequence[Sought]) -> tuple[list[int], Automaton] | None:
    """Returns the numbers of those that the file has, and the automaton that counts these from 0. None without C."""
    table = Table.unpacked(files(__package__).joinpath(FILE).read_bytes())
    number_of = {each: number for number, each in enumerate(table.names)}
    having = [number for number, each in enumerate(every) if name(each.regex) in number_of]
    targets = []
    for each in (every[number] for number in having):
        near = number_of.get(name(each.near)) if each.near else None
        targets.append(Target(number_of[name(each.regex)], near, each.within))
    try:
        return having, Automaton(table, targets)
    except OSError:
        return None
