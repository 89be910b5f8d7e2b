"""Finds all patterns in one pass over a text with an RE2 set. Linear in the text, whatever it holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

import re2

from mcpobs.detect.injection.pattern import Pattern, expanded

MAX_MEMORY_BYTES = 128 << 20
"""States that the set may keep. It builds them as texts need them; below 16 MiB it discards them all the time."""

MOST_PLACES = 40
"""Places of one expression that are looked at in one text."""


class Match(Protocol):
    def span(self) -> tuple[int, int]: ...


class Regex(Protocol):
    def search(self, text: bytes) -> Match | None: ...

    def finditer(self, text: bytes) -> Iterator[Match]: ...


class Place(NamedTuple):
    start: int
    end: int


class Engine:
    """The patterns, and the gates of codings, as one set.

    An expression of its own is compiled when the set first reports it: most texts need none.
    """

    def __init__(self, patterns: Sequence[Pattern], gates: Sequence[str]) -> None:
        self.patterns = tuple(patterns)
        numbers: dict[str, int] = {}

        def numbered(regex: str) -> int:
            return numbers.setdefault(expanded(regex), len(numbers))

        self._needed = [
            (numbered(pattern.regex), numbered(pattern.near) if pattern.near else -1) for pattern in self.patterns
        ]
        self._gates = [numbers.setdefault(gate, len(numbers)) for gate in gates]
        self._regexes = list(numbers)
        self._compiled: dict[int, Regex] = {}
        self._anchored: dict[int, list[int]] = {}
        for number, (first, _) in enumerate(self._needed):
            self._anchored.setdefault(first, []).append(number)
        self._set = _set(self._regexes)

    def matched(self, data: bytes) -> frozenset[int]:
        """Returns the numbers of the expressions that the text holds."""
        return frozenset(self._set.Match(data) or ())

    def open_gates(self, matched: frozenset[int]) -> list[int]:
        return [number for number, regex in enumerate(self._gates) if regex in matched]

    def find(self, data: bytes, matched: frozenset[int]) -> Iterator[tuple[int, Place]]:
        """Yields the number and the first place of every pattern that the text holds."""
        for first in sorted(matched):
            for number in self._anchored.get(first, ()):
                near = self._needed[number][1]
                if near < 0 or near in matched:
                    place = self._place(number, data)
                    if place is not None:
                        yield number, place

    def _place(self, number: int, data: bytes) -> Place | None:
        first, near = self._needed[number]
        regex = self._regex(first)
        if near < 0:
            match = regex.search(data)
            return Place(*match.span()) if match else None
        other, within = self._regex(near), self.patterns[number].within
        for count, match in enumerate(regex.finditer(data)):
            if count == MOST_PLACES:
                return None
            start, end = match.span()
            beside = other.search(data[end : end + within]) or other.search(data[max(0, start - within) : start])
            if beside:
                return Place(start, end)
        return None

    def _regex(self, number: int) -> Regex:
        if number not in self._compiled:
            self._compiled[number] = compiled(self._regexes[number])
        return self._compiled[number]


def compiled(regex: str) -> Regex:
    made: Regex = re2.compile(regex, _options())  # type: ignore[no-untyped-call]  # the package has no hints
    return made


def _set(regexes: Sequence[str]) -> re2.Set:
    made: re2.Set = re2.Set.SearchSet(_options())  # type: ignore[no-untyped-call]  # the package has no hints
    for regex in regexes:
        made.Add(regex)
    made.Compile()
    return made


def _options() -> re2.Options:
    options = re2.Options()
    options.case_sensitive = False
    options.max_mem = MAX_MEMORY_BYTES
    options.log_errors = False
    return options
