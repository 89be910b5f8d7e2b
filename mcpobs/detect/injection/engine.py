"""Finds all patterns in a few passes over a text with RE2 sets. Linear in the text, whatever it holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from mcpobs.detect.injection.pattern import Pattern, expanded
from mcpobs.detect.injection.regex import Regex, compiled, compiled_set

MOST_PLACES = 40
"""Places of one expression that are looked at in one text."""

FEW_PLACES = 4
"""After so many places without its other half, a pattern first looks whether the text holds that half at all."""


class Place(NamedTuple):
    start: int
    end: int


class Shelf:
    """Expressions in one set.

    A set walks all of its expressions at once, and its states multiply with what it holds: all patterns in one set
    took 24 ms for 10 KB of fresh text, on shelves they take a tenth.
    """

    def __init__(self, regexes: Sequence[str]) -> None:
        self.regexes = list(dict.fromkeys(regexes))
        self._set = compiled_set(self.regexes)

    def matched(self, data: bytes) -> list[str]:
        return [self.regexes[number] for number in self._set.Match(data) or ()]  # type: ignore[no-untyped-call]


class Engine:
    """The patterns, and the gates of codings, on shelves.

    An expression of its own is compiled when a set first reports it: most texts need none.
    """

    def __init__(
        self, patterns: Sequence[Sequence[Pattern]], others: Sequence[Pattern], gates: Sequence[Sequence[str]]
    ) -> None:
        """Takes shelves of patterns, patterns that ASCII texts cannot hold, and shelves of plain expressions."""
        self._needed: dict[str, list[tuple[Pattern, str]]] = {}
        for pattern in (*others, *(pattern for shelf in patterns for pattern in shelf)):
            near = expanded(pattern.near) if pattern.near else ""
            self._needed.setdefault(expanded(pattern.regex), []).append((pattern, near))
        self._shelves = [_shelf(shelf) for shelf in patterns] + [Shelf(shelf) for shelf in gates]
        self._others = _shelf(others)
        self._compiled: dict[str, Regex] = {}

    def matched(self, data: bytes) -> frozenset[str]:
        """Returns the expressions that the text holds."""
        found: list[str] = []
        for shelf in self._shelves:
            found += shelf.matched(data)
        if not data.isascii():
            found += self._others.matched(data)
        return frozenset(found)

    def find(self, data: bytes, matched: frozenset[str]) -> Iterator[tuple[Pattern, Place]]:
        """Yields every pattern that the text holds, with its first place."""
        for regex in matched & self._needed.keys():
            for pattern, near in self._needed[regex]:
                place = self._place(pattern, regex, near, data)
                if place is not None:
                    yield pattern, place

    def _place(self, pattern: Pattern, regex: str, near: str, data: bytes) -> Place | None:
        if not near:
            match = self._regex(regex).search(data)
            return Place(*match.span()) if match else None
        other, within = self._regex(near), pattern.within
        for count, match in enumerate(self._regex(regex).finditer(data)):
            if count == MOST_PLACES or (count == FEW_PLACES and other.search(data) is None):
                return None
            start, end = match.span()
            before, after = (start, end) if pattern.inside else (end, start)
            if other.search(data[before : end + within]) or other.search(data[max(0, start - within) : after]):
                return Place(start, end)
        return None

    def _regex(self, regex: str) -> Regex:
        if regex not in self._compiled:
            self._compiled[regex] = compiled(regex)
        return self._compiled[regex]


def _shelf(patterns: Sequence[Pattern]) -> Shelf:
    return Shelf([expanded(pattern.regex) for pattern in patterns])
