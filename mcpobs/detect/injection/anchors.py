"""Knows the anchors of expressions: words one of which every match holds (`anchors.json`), and finds where they meet.

A pattern is then looked for only there, so that a harmless text hardly costs anything. Without the library in C, and
for an expression without anchors, whole texts are looked through: the same is found.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from importlib.resources import files
from typing import NamedTuple

from mcpobs.detect.native.anchors import Automaton

Needs = dict[str, tuple[int, list[int]]]
"""By the name of an expression, the symbols that a match takes, and the sets of which it needs a word each."""


class Anchored(NamedTuple):
    """An expression, what has to stand within a distance of it, and that distance."""

    regex: str
    near: str = ""
    within: int = 0


def name(regex: str) -> str:
    return f"{zlib.crc32(regex.encode()):08x}"


def anchored(every: Sequence[Anchored]) -> tuple[list[int], Automaton] | None:
    """Returns the numbers of those that have anchors, and the automaton that counts these from 0. None without C."""
    read = json.loads(files(__package__).joinpath("anchors.json").read_bytes())
    needs: Needs = read["needs"]
    having = [number for number, each in enumerate(every) if name(each.regex) in needs]
    patterns = [_needs(every[number], needs) for number in having]
    try:
        return having, Automaton([words.split("|") for words in read["sets"]], patterns)
    except OSError:
        return None


def _needs(each: Anchored, needs: Needs) -> tuple[list[int], int]:
    span, sets = needs[name(each.regex)]
    if each.near and name(each.near) in needs:
        length, more = needs[name(each.near)]
        return list(dict.fromkeys([*sets, *more])), span + each.within + length
    return sets, span
