"""Turns an expression into a nondeterministic automaton over bytes. Reads RE2's dialect.

The automaton accepts at least what RE2 matches: it may take any character that is not ASCII for one of a range of such
characters, and a wide class that may be repeated often for one that may be repeated without end.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

MANY: Final = 4
WIDE: Final = 40
"""A class of so many bytes that may be repeated so often is taken as one that may be repeated without end."""

WORD: Final = frozenset(b"0123456789_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
SPACE: Final = frozenset(b"\t\n\f\r ")
DIGIT: Final = frozenset(b"0123456789")
ASCII: Final = frozenset(range(128))
CATEGORIES: Final = {"SPACE": SPACE, "WORD": WORD, "DIGIT": DIGIT}
FOLLOWING: Final = frozenset(range(0x80, 0xC0))
MANY_BYTES: Final = (
    (frozenset(range(0xC0, 0xE0)), FOLLOWING),
    (frozenset(range(0xE0, 0xF0)), FOLLOWING, FOLLOWING),
    (frozenset(range(0xF0, 0xF8)), FOLLOWING, FOLLOWING, FOLLOWING),
)
"""Any character that is not ASCII, in UTF-8."""

Bytes = frozenset[int]


@dataclass
class Graph:
    """A nondeterministic automaton. A node reads one of some bytes, or demands a boundary or the beginning, or ends
    the match; or it only leads on."""

    reads: dict[int, Bytes] = field(default_factory=dict)
    demands: dict[int, str] = field(default_factory=dict)
    leads: list[list[int]] = field(default_factory=list)
    end: int = 0

    def node(self, *leads: int) -> int:
        self.leads.append(list(leads))
        return len(self.leads) - 1

    def reading(self, some: Bytes, then: int) -> int:
        node = self.node(then)
        self.reads[node] = some
        return node

    def sequence(self, nodes: Iterable[tuple[Any, Any]], then: int, flags: int) -> int:
        for kind, value in reversed(list(nodes)):
            then = self._single(str(kind), value, then, flags)
        return then

    def _single(self, kind: str, value: Any, then: int, flags: int) -> int:
        if kind == "BRANCH":
            return self.node(*(self.sequence(each, then, flags) for each in value[1]))
        if kind == "SUBPATTERN":
            return self.sequence(value[3], then, (flags | value[1]) & ~value[2])
        if kind in ("MAX_REPEAT", "MIN_REPEAT"):
            least, most, inner = value
            return self._repeat(least, most, inner, then, flags)
        if kind == "AT":
            node = self.node(then)
            self.demands[node] = {"AT_BOUNDARY": "boundary", "AT_BEGINNING": "beginning"}[str(value)]
            return node
        return self._characters(*_meant(kind, value, flags), then)

    def _repeat(self, least: int, most: Any, inner: Any, then: int, flags: int) -> int:
        if str(most) == "MAXREPEAT" or (int(most) - least > MANY and _wide(inner, flags)):
            loop = self.node(then)
            self.leads[loop].insert(0, self.sequence(inner, loop, flags))
            then = loop
        else:
            last = then
            for _ in range(int(most) - least):
                then = self.node(self.sequence(inner, then, flags), last)
        for _ in range(least):
            then = self.sequence(inner, then, flags)
        return then

    def _characters(self, plain: Bytes, longer: Sequence[Sequence[Bytes]], then: int) -> int:
        ways = [self.reading(plain, then)] if plain else []
        for each in longer:
            way = then
            for some in reversed(each):
                way = self.reading(some, way)
            ways.append(way)
        return ways[0] if len(ways) == 1 else self.node(*ways)


def _wide(inner: Sequence[tuple[Any, Any]], flags: int) -> bool:
    kind, value = str(inner[0][0]), inner[0][1]
    return len(inner) == 1 and kind in ("ANY", "IN", "NOT_LITERAL") and len(_meant(kind, value, flags)[0]) > WIDE


def _meant(kind: str, value: Any, flags: int) -> tuple[Bytes, list[Sequence[Bytes]]]:
    """Returns the ASCII characters that a class means, and the others as sequences of bytes."""
    if kind == "ANY":
        return ASCII - {10}, list(MANY_BYTES)
    items = value if kind == "IN" else [("LITERAL", value)]
    negated = kind == "NOT_LITERAL" or str(items[0][0]) == "NEGATE"
    plain: set[int] = set()
    longer: list[Sequence[Bytes]] = []
    for name, what in items:
        if str(name) == "CATEGORY":
            category = str(what).removeprefix("CATEGORY_")
            some = CATEGORIES[category.removeprefix("NOT_")]
            plain |= ASCII - some if category.startswith("NOT_") else some
            longer += MANY_BYTES if category.startswith("NOT_") else ()
        elif str(name) == "RANGE":
            plain |= set(range(what[0], min(what[1], 127) + 1))
            longer += MANY_BYTES if what[1] > 127 else ()
        elif str(name) == "LITERAL":
            for point in _looks(what) if flags & re.IGNORECASE else {what}:
                if point < 128:
                    plain.add(point)
                else:
                    longer.append([frozenset({byte}) for byte in chr(point).encode()])
    if flags & re.IGNORECASE:
        plain |= {ord(other) for each in plain for other in (chr(each).lower(), chr(each).upper())}
    if negated:
        return ASCII - plain, list(MANY_BYTES)
    return frozenset(plain), list(dict.fromkeys(map(tuple, longer)))


@lru_cache(4096)
def _looks(point: int) -> set[int]:
    """Returns the characters that are the same one but for case. Those of ASCII alone: see `ODD_LETTERS`."""
    same = {point}
    while True:
        more = {form for each in same for form in _forms(chr(each))}
        if more <= same:
            return same
        same |= more


def _forms(letter: str) -> set[int]:
    forms = {
        ord(each) for each in (letter.lower(), letter.upper(), letter.title(), letter.casefold()) if len(each) == 1
    }
    return forms if ord(letter) > 127 else {each for each in forms if each < 128}


def parsed(regex: str) -> Any:
    import re._parser  # type: ignore[import-not-found]  # there is no public parser

    return re._parser.parse(regex, re.IGNORECASE)
