"""Finds further occurrences of values that were found: where a label is missing, the value alone says nothing.

One pass: each word of the texts is looked up among the first words of the values.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

LEAST = 4  # characters of a value that is searched for within texts
_MASK = re.compile(r"\[[a-z_]{2,24}:[0-9a-f]{8}\]")
_WORD = re.compile(r"\w++")


class Value(NamedTuple):
    kind: str
    text: str


class Repeats:
    """The values of one message."""

    def __init__(self, values: Iterable[Value]) -> None:
        self._kinds: dict[str, str] = {}
        self._by_word: dict[str, dict[tuple[int, int], None]] = {}
        for kind, text in values:
            word = _WORD.search(text)
            if word is None or text in self._kinds:
                continue
            self._kinds[text] = kind
            if len(text) >= LEAST:
                self._by_word.setdefault(word[0], {})[word.start(), len(text)] = None

    def within(self, text: str) -> Iterator[tuple[str, int, int]]:
        """Yields kind, start and end of the values in a text. A value next to a letter or digit does not count."""
        if text in self._kinds:
            yield self._kinds[text], 0, len(text)
            return
        if "[" in text:
            text = _MASK.sub(lambda mask: "\0" * len(mask[0]), text)  # nothing within an earlier mask is a value
        for word in _WORD.finditer(text):
            for before, length in self._by_word.get(word[0], ()):
                start = word.start() - before
                end = start + length
                kind = self._kinds.get(text[start:end]) if start >= 0 and end <= len(text) else None
                if kind is not None and not text[end : end + 1].isalnum():
                    yield kind, start, end
