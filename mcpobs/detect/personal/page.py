"""A text under inspection, as bytes, and the words that label a place in it. Reads bounded surroundings only."""

from __future__ import annotations

from functools import cached_property

from mcpobs.detect.personal.table import Table, table_of

_BEFORE = 72  # bytes before a candidate that may hold its label
_AFTER = 24
_MOST_WORDS = 8
_LETTERS = bytes(
    byte + 32 if 65 <= byte <= 90 else byte if 97 <= byte <= 122 or byte >= 128 else 32 for byte in range(256)
)
"""Lower-cases letters and turns every other byte into a space."""


class Page:
    """The UTF-8 bytes of one text, with the key of the JSON member that it is the value of."""

    def __init__(self, data: bytes, key: str | None = None) -> None:
        self.data = data
        self.key_words = key_words(key)

    def words_before(self, at: int) -> list[bytes]:
        """Returns the words that label the datum at `at`, the nearest first: the column of a table, then the words of
        the line before it, then the key of the text."""
        data = self.data
        column = self.table.column(at) if self.table is not None else None
        if column is not None:
            return column
        begin = max(0, at - _BEFORE)
        line = data[begin:at]
        newline = line.rfind(b"\n")
        words = line[newline + 1 :].translate(_LETTERS).split()[-_MOST_WORDS:]
        words.reverse()
        if self.key_words and begin == 0 and newline < 0:
            words += self.key_words
        return words

    def words_after(self, at: int) -> list[bytes]:
        """Returns the next words of the line, the nearest first."""
        line = self.data[at : at + _AFTER].partition(b"\n")[0]
        return line.translate(_LETTERS).split()

    def byte(self, at: int) -> int:
        """Returns the byte at a place; 0 outside of the text."""
        return self.data[at] if 0 <= at < len(self.data) else 0

    @cached_property
    def table(self) -> Table | None:
        return table_of(self.data)


def key_words(key: str | None) -> list[bytes]:
    """Returns the words of a key in lower case, the last first: `billingPhone_number` is number, phone, billing."""
    if not key:
        return []
    short = key[:64]
    spread = "".join(
        f" {character}" if character.isupper() and before.islower() else character
        for before, character in zip(" " + short, short, strict=False)
    )
    words = spread.encode("utf-8", "replace").translate(_LETTERS).split()
    words.reverse()
    return words
