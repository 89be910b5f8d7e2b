"""Finds further occurrences of values that were found: where a label is missing, the value alone says nothing.

One pass: each word of the texts is looked up among the first words of the values.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import NamedTuple

LEAST = 4  # characters of a value that is searched for within texts
_MASK = re.compile(r"\[[a-z_]{2,24}:[0-9a-f]{8}\]")
_WORD = re.compile(r"\w++")


class Value(NamedTuple):
    kind: str
    text: str


class Repeats:
    """The values of one message.

    A server chooses values and texts, so both are many and alike: the values of one first word are sorted, and the only
    ones that a place can hold are the last one before it and those that this begins with.
    """

    def __init__(self, values: Iterable[Value]) -> None:
        self._kinds: dict[str, str] = {}
        for kind, text in values:
            self._kinds.setdefault(text, kind)
        self._by_word: dict[str, dict[int, _Sorted]] = {}
        words: dict[tuple[str, int], list[str]] = {}
        for text in self._kinds:
            word = _WORD.search(text)
            if word is not None and len(text) >= LEAST:
                words.setdefault((word[0], word.start()), []).append(text)
        for (first, before), several in sorted(words.items()):
            self._by_word.setdefault(first, {})[before] = _Sorted(several)

    def within(self, text: str) -> Iterator[tuple[str, int, int]]:
        """Yields kind, start and end of the values in a text. One that a letter or digit goes on from is another."""
        if text in self._kinds and _WORD.search(text) is not None:
            yield self._kinds[text], 0, len(text)
            return
        if "[" in text:
            text = _MASK.sub(lambda mask: "\0" * len(mask[0]), text)  # nothing within an earlier mask is a value
        after = 0  # the end of the word before
        for word in _WORD.finditer(text):
            for before, values in self._by_word.get(word[0], _NONE).items():
                start = word.start() - before
                if start < after:
                    break  # values begin with other characters than the text has before the word
                value = values.at(text, start)
                if value is not None:
                    yield self._kinds[value], start, start + len(value)
            after = word.end()


class _Sorted:
    """Values in their order, each with the longest other one that it begins with."""

    def __init__(self, values: Iterable[str]) -> None:
        self._values = sorted(values)
        self._longest = max(map(len, self._values))
        self._shorter: list[int] = []
        for place, value in enumerate(self._values):
            other = place - 1
            while other >= 0 and not value.startswith(self._values[other]):
                other = self._shorter[other]
            self._shorter.append(other)

    def at(self, text: str, start: int) -> str | None:
        """Returns the longest value that a place of a text holds."""
        part = text[start : start + self._longest + 1]
        place = bisect_right(self._values, part) - 1
        while place >= 0:
            value = self._values[place]
            if part.startswith(value) and not part[len(value) : len(value) + 1].isalnum():
                return value
            place = self._shorter[place]
        return None


_NONE: dict[int, _Sorted] = {}
