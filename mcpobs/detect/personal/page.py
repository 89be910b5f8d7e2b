"""Texts under inspection, joined to one page of bytes, and the words that label a place in it.

One pass over a page costs less than one over each text: a result has hundreds of short ones. `SEPARATOR` keeps them
apart; no pattern and no label reaches across it. Reads bounded surroundings of a place only.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from mcpobs.detect.personal.table import Table, table_of

SEPARATOR = b"\n\x00\n"
_BEFORE = 72  # bytes before a candidate that may hold its label
_AFTER = 24
_MOST_WORDS = 8
_LETTERS = bytes(
    byte + 32 if 65 <= byte <= 90 else byte if 97 <= byte <= 122 or byte >= 128 else 32 for byte in range(256)
)
"""Lower-cases letters and turns every other byte into a space."""


class Entry(NamedTuple):
    """One text; `key` is the name of the JSON member that it is the value of."""

    text: str
    key: str | None = None


class Page:
    """The texts as UTF-8, one after the other; text n is data[starts[n]:ends[n]]."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        texts = [_encoded(entry.text) for entry in entries]
        self.data = SEPARATOR.join(texts)
        self.starts: list[int] = []
        at = 0
        for text in texts:
            self.starts.append(at)
            at += len(text) + len(SEPARATOR)
        self._entries = entries
        self._tables: dict[int, Table | None] = {}

    def number(self, at: int) -> int:
        """Returns the number of the text that holds a place."""
        return bisect_right(self.starts, at) - 1

    def end(self, number: int) -> int:
        """Returns where a text ends."""
        return self.starts[number + 1] - len(SEPARATOR) if number + 1 < len(self.starts) else len(self.data)

    def words_before(self, at: int) -> list[bytes]:
        """Returns the words that label the datum at `at`, the nearest first: the column of a table, or the words of the
        line before it, then the key of the text."""
        number = self.number(at)
        table = self._table(number)
        column = table.column(at - self.starts[number]) if table is not None else None
        if column is not None:
            return column
        first = self.starts[number]
        begin = max(first, at - _BEFORE)
        line = self.data[begin:at]
        newline = line.rfind(b"\n")
        words = line[newline + 1 :].translate(_LETTERS).split()[-_MOST_WORDS:]
        words.reverse()
        return [*words, *key_words(self._entries[number].key)] if begin == first and newline < 0 else words

    def words_after(self, at: int) -> list[bytes]:
        """Returns the next words of the line, the nearest first."""
        line = self.data[at : at + _AFTER].partition(b"\n")[0]
        return line.translate(_LETTERS).split()

    def byte(self, at: int) -> int:
        """Returns the byte at a place; 0 outside of the page."""
        return self.data[at] if 0 <= at < len(self.data) else 0

    def _table(self, number: int) -> Table | None:
        if number not in self._tables:
            self._tables[number] = table_of(self.data[self.starts[number] : self.end(number)])
        return self._tables[number]


def _encoded(text: str) -> bytes:
    data = text.encode("utf-8", "replace")  # a lone surrogate becomes one byte, so that it counts one
    return data.replace(b"\x00", b" ") if b"\x00" in data else data


@lru_cache(maxsize=4_096)
def key_words(key: str | None) -> tuple[bytes, ...]:
    """Returns the words of a key in lower case, the last first: `billingPhone_number` is number, phone, billing."""
    if not key:
        return ()
    short = key[:64]
    spread = "".join(
        f" {character}" if character.isupper() and before.islower() else character
        for before, character in zip(f" {short}", short, strict=False)
    )
    return tuple(reversed(spread.encode("utf-8", "replace").translate(_LETTERS).split()))
