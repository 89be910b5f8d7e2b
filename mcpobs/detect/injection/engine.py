"""Finds all patterns in one pass over a text with an RE2 set. Linear in the text, whatever it holds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol

import re2

from mcpobs.detect.injection.pattern import Pattern, expanded

MAX_MEMORY_BYTES = 128 << 20
"""States that the set may keep. It builds them as texts need them; below 16 MiB it discards them all the time."""

MOST_PLACES = 40
"""Places of one expression that are looked at in one text."""


class Place(NamedTuple):
    start: int
    end: int


class Match(Protocol):
    def span(self) -> tuple[int, int]: ...


class Regex(Protocol):
    def search(self, text: bytes) -> Match | None: ...

    def finditer(self, text: bytes) -> Iterator[Match]: ...


class Engine:
    """The patterns as one set. Expressions of their own are compiled when the set first reports them."""

    def __init__(self, patterns: Iterable[Pattern]) -> None:
        self.patterns = tuple(patterns)
        numbers: dict[str, int] = {}
        self._needed = [
            (
                numbers.setdefault(pattern.regex, len(numbers)),
                numbers.setdefault(pattern.near, len(numbers)) if pattern.near else -1,
            )
            for pattern in self.patterns
        ]
        self._regexes = [expanded(regex) for regex in numbers]
        self._compiled: dict[int, Regex] = {}
        self._anchored: dict[int, list[int]] = {}
        for number, (first, _) in enumerate(self._needed):
            self._anchored.setdefault(first, []).append(number)
        self._set = _set(self._regexes)

    def find(self, data: bytes) -> list[tuple[int, Place]]:
        """Returns the number and the first place of every pattern that the text holds."""
        matched = self._set.Match(data)
        if not matched:
            return []
        seen = set(matched)
        found = []
        for first in matched:
            for number in self._anchored.get(first, ()):
                near = self._needed[number][1]
                if near >= 0 and near not in seen:
                    continue
                place = self._place(number, data)
                if place is not None:
                    found.append((number, place))
        return found

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
            low = max(0, start - within)
            beside = other.search(data[end : end + within]) or other.search(data[low:start])
            if beside:
                return Place(start, end)
        return None

    def _regex(self, number: int) -> Regex:
        if number not in self._compiled:
            self._compiled[number] = re2.compile(self._regexes[number], _options())
        return self._compiled[number]


def _set(regexes: Sequence[str]) -> re2.Set:
    made = re2.Set.SearchSet(_options())
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
