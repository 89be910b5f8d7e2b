"""Finds all patterns in one pass over a text. Linear in the text, whatever it holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from mcpobs.detect.injection.pattern import Pattern, expanded
from mcpobs.detect.injection.regex import Match, Regex, compiled, compiled_set
from mcpobs.detect.injection.table import Sought, loaded

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
    """Expressions that a text holds, and gates that it may hold; and by the number of a pattern that it may hold, the
    place before which the pattern does not begin."""

    regexes: frozenset[str]
    places: Mapping[int, int]


class Needed(NamedTuple):
    sought: Sought
    pattern: Pattern | None
    """None if it is the gate of a coding."""


class Engine:
    """The patterns, and the gates of codings. The automaton rules out nearly all, and RE2 decides about the rest.

    Without the automaton, and for a text that it gives up, whole texts are matched with the shelves. Expressions and
    shelves are compiled when they are first needed: most texts need none.
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
        foreign = [_needed(pattern) for pattern in others]
        self._every = [*(each for shelf in shelves for each in shelf), *foreign]
        self._by_regex: dict[str, list[Needed]] = {}
        for each in self._every:
            self._by_regex.setdefault(each.sought.regex, []).append(each)
        self._every += [Needed(Sought(gate), None) for shelf in gates for gate in shelf]
        self._whole = Shelves([[each.sought.regex for each in shelf] for shelf in (*shelves, foreign)], gates)
        self._rest, self._automaton = self._whole, None
        if staged and (made := loaded([each.sought for each in self._every])):
            numbers, self._automaton = made
            self._staged = [self._every[number] for number in numbers]
            self._rest = self._whole.without({each.sought.regex for each in self._staged})
        self._compiled: dict[str, Regex] = {}

    def matched(self, data: bytes) -> Matched:
        """Returns what the text holds or may hold."""
        odd = not data.isascii() and any(letter in data for letter in ODD_LETTERS)
        places = self._automaton.walk(data) if self._automaton and not odd else None
        found = (self._whole if places is None else self._rest).matched(data)
        patterns: dict[int, int] = {}
        for number, start in places or ():
            each = self._staged[number]
            if each.pattern is not None:
                patterns[number] = start
            else:
                found.append(each.sought.regex)
        return Matched(frozenset(found), patterns)

    def find(self, data: bytes, matched: Matched) -> Iterator[tuple[Pattern, Place]]:
        """Yields every pattern that the text holds, with its first place."""
        looked = [(each, 0) for regex in matched.regexes for each in self._by_regex.get(regex, ())]
        looked += [(self._staged[number], start) for number, start in matched.places.items()]
        for each, start in looked:
            place = self._place(each, data, start)
            if place is not None and each.pattern is not None:
                yield each.pattern, place

    def _place(self, needed: Needed, data: bytes, first: int) -> Place | None:
        (regex, near, within), pattern = needed
        if not near or pattern is None:
            match = self._first(regex, data, first)
            return Place(*match.span()) if match else None
        other = self._regex(near)
        for count, match in enumerate(self._regex(regex).finditer(data, first)):
            if count == MOST_PLACES or (count == FEW_PLACES and other.search(data) is None):
                return None
            start, end = match.span()
            before, after = (start, end) if pattern.inside else (end, start)
            if other.search(data, before, end + within) or other.search(data, max(0, start - within), after):
                return Place(start, end)
        return None

    def _first(self, regex: str, data: bytes, start: int) -> Match | None:
        """Returns the first match, which does not begin before `start` and most often does there."""
        compiled = self._regex(regex)
        return (compiled.match(data, start) if start else None) or compiled.search(data, start)

    def _regex(self, regex: str) -> Regex:
        if regex not in self._compiled:
            self._compiled[regex] = compiled(regex)
        return self._compiled[regex]


class Shelves:
    """The expressions that RE2 looks for in whole texts. Compiled when first needed."""

    def __init__(self, words: Sequence[Sequence[str]], gates: Sequence[Sequence[str]]) -> None:
        """Takes shelves of patterns, of which the last one's have letters that are not ASCII; and shelves of gates."""
        self._words, self._gates = words, gates

    def without(self, regexes: set[str]) -> Shelves:
        """Returns shelves of what is left, as few as possible."""
        *words, foreign = ([regex for regex in shelf if regex not in regexes] for shelf in self._words)
        gates = [[regex for regex in shelf if regex not in regexes] for shelf in self._gates]
        return Shelves([[regex for shelf in words for regex in shelf], foreign], gates)

    def matched(self, data: bytes) -> list[str]:
        found = [regex for shelf in self._shelves for regex in shelf.matched(data)]
        if self._foreign is not None and not data.isascii() and self._foreign.search(data):
            found += self._others.matched(data)
        return found

    @cached_property
    def _shelves(self) -> list[Shelf]:
        return [Shelf(shelf) for shelf in (*self._words[:-1], *self._gates) if shelf]

    @cached_property
    def _others(self) -> Shelf:
        return Shelf(self._words[-1])

    @cached_property
    def _foreign(self) -> Regex | None:
        letters = sorted({letter for regex in self._words[-1] for letter in regex if not letter.isascii()})
        return compiled(f"[{''.join(letters)}]") if letters else None


def as_sought(pattern: Pattern) -> Sought:
    near = expanded(pattern.near) if pattern.near else ""
    return Sought(expanded(pattern.regex), near, pattern.within if near else 0)


def _needed(pattern: Pattern) -> Needed:
    return Needed(as_sought(pattern), pattern)
