"""Finds all patterns in a few passes over a text with RE2 sets. Linear in the text, whatever it holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from mcpobs.detect.injection.anchors import Anchored, anchored
from mcpobs.detect.injection.pattern import Pattern, expanded
from mcpobs.detect.injection.regex import Regex, compiled, compiled_set
from mcpobs.detect.native.anchors import Window

MOST_PLACES = 40
"""Places of one expression that are looked at in one text."""

FEW_PLACES = 4
"""After so many places without its other half, a pattern first looks whether the text holds that half at all."""

ODD_LETTERS = ("\u017f".encode(), "\u212a".encode())
"""Long s and the sign of Kelvin: RE2 reads them as s and k, if it disregards case. Only decoded texts have them."""


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


@dataclass(frozen=True, slots=True)
class Matched:
    """Expressions that a text holds, and for patterns with anchors, by their number, the windows to look at."""

    regexes: frozenset[str]
    windows: Mapping[int, Sequence[Window]]


class Engine:
    """The patterns, and the gates of codings. Those with anchors are looked for in windows, the others on shelves.

    An expression of its own on a shelf is compiled when it is first needed: most texts need none.
    """

    def __init__(
        self,
        patterns: Sequence[Sequence[Pattern]],
        others: Sequence[Pattern],
        gates: Sequence[Sequence[str]],
        staged: bool = True,
    ) -> None:
        """Takes shelves of patterns, patterns that ASCII texts cannot hold, and shelves of plain expressions.
        If not `staged`, all are on shelves."""
        shelves = [[_needed(pattern) for pattern in shelf] for shelf in patterns]
        self._every = [each for shelf in shelves for each in shelf]
        self._gates = [Needed(Anchored(gate), None) for shelf in gates for gate in shelf]
        self._by_regex: dict[str, list[Needed]] = {}
        for each in (*map(_needed, others), *self._every):
            self._by_regex.setdefault(each.anchored.regex, []).append(each)
        self._every += self._gates
        self._shelves = [Shelf([each.anchored.regex for each in shelf]) for shelf in shelves]
        self._shelves += [Shelf(shelf) for shelf in gates]
        self._others = Shelf([each.anchored.regex for each in map(_needed, others)])
        foreign = "".join(
            sorted({letter for regex in self._others.regexes for letter in regex if not letter.isascii()})
        )
        self._foreign = compiled(f"[{foreign}]")
        self._compiled: dict[str, Regex] = {}
        self._automaton, self._rest = None, self._shelves
        if staged and (made := anchored([each.anchored for each in self._every])):
            numbers, self._automaton = made
            self._staged = [self._every[number] for number in numbers]
            regexes = {each.anchored.regex for each in self._staged}
            left = [[regex for regex in shelf.regexes if regex not in regexes] for shelf in self._shelves]
            words = [regex for shelf in left[: len(patterns)] for regex in shelf]
            for each in self._staged:  # most texts need a few: not one after the other in the first results
                self._regex(each.anchored.regex)
                if each.anchored.near:
                    self._regex(each.anchored.near)
            self._rest = [Shelf(shelf) for shelf in (words, *left[len(patterns) :]) if shelf]

    def matched(self, data: bytes) -> Matched:
        """Returns what the text holds or may hold."""
        ascii_only = data.isascii()
        odd = not ascii_only and any(letter in data for letter in ODD_LETTERS)
        windows = self._automaton.windows(data) if self._automaton and not odd else None
        found: list[str] = []
        for shelf in self._shelves if windows is None else self._rest:
            found += shelf.matched(data)
        if not ascii_only and self._foreign.search(data):
            found += self._others.matched(data)
        patterns: dict[int, Sequence[Window]] = {}
        for number, places in (windows or {}).items():
            each = self._staged[number]
            if each.pattern is not None:
                patterns[number] = places
            elif self._first(each.anchored.regex, data, places):
                found.append(each.anchored.regex)
        return Matched(frozenset(found), patterns)

    def find(self, data: bytes, matched: Matched) -> Iterator[tuple[Pattern, Place]]:
        """Yields every pattern that the text holds, with its first place."""
        whole: Sequence[Window] = ((0, len(data)),)
        looked = [(each, whole) for regex in matched.regexes for each in self._by_regex.get(regex, ())]
        looked += [(self._staged[number], windows) for number, windows in matched.windows.items()]
        for each, windows in looked:
            place = self._place(each, data, windows)
            if place is not None and each.pattern is not None:
                yield each.pattern, place

    def _place(self, needed: Needed, data: bytes, windows: Sequence[Window]) -> Place | None:
        (regex, near, within), pattern = needed
        if not near or pattern is None:
            return self._first(regex, data, windows)
        other = self._regex(near)
        for count, (start, end) in enumerate(self._matches(regex, data, windows)):
            if count == MOST_PLACES or (count == FEW_PLACES and other.search(data) is None):
                return None
            before, after = (start, end) if pattern.inside else (end, start)
            if other.search(data[before : end + within]) or other.search(data[max(0, start - within) : after]):
                return Place(start, end)
        return None

    def _first(self, regex: str, data: bytes, windows: Sequence[Window]) -> Place | None:
        search = self._regex(regex).search
        for start, end in windows:
            if (match := search(data, start, end)) is not None:
                return Place(*match.span())
        return None

    def _matches(self, regex: str, data: bytes, windows: Sequence[Window]) -> Iterator[Place]:
        compiled = self._regex(regex)
        for start, end in windows:
            for match in compiled.finditer(data, start, end):
                yield Place(*match.span())

    def _regex(self, regex: str) -> Regex:
        if regex not in self._compiled:
            self._compiled[regex] = compiled(regex)
        return self._compiled[regex]


class Needed(NamedTuple):
    anchored: Anchored
    pattern: Pattern | None
    """None if it is the gate of a coding."""


def _needed(pattern: Pattern) -> Needed:
    near = expanded(pattern.near) if pattern.near else ""
    return Needed(Anchored(expanded(pattern.regex), near, pattern.within if near else 0), pattern)
