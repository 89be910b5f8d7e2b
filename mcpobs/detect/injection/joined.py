"""Joins the strings of a result to one text of bounded length, and finds the string that a place came from."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

MOST_CHARACTERS = 512 << 10
"""Characters of one result that are scanned. Of a longer one the head and the tail are, three parts to one."""

TAIL_CHARACTERS = MOST_CHARACTERS // 4


class Joined(NamedTuple):
    text: str
    starts: tuple[int, ...]
    lengths: tuple[int, ...]
    truncated: bool
    cut: int
    """Characters left out between the head and the tail."""

    def place(self, start: int, end: int) -> tuple[int, int, int]:
        """Returns the number of the string and the span in it. A span over two strings ends with the first."""
        if self.truncated and start >= MOST_CHARACTERS - TAIL_CHARACTERS:
            start, end = start + self.cut, end + self.cut
        number = max(0, bisect_right(self.starts, start) - 1)
        length = self.lengths[number] if self.lengths else 0
        low = min(start - self.starts[number] if self.starts else 0, length)
        return number, low, min(max(low, end - self.starts[number] if self.starts else 0), length)


def joined(texts: Sequence[str]) -> Joined:
    lengths = tuple(map(len, texts))
    starts = tuple(accumulate((length + 1 for length in lengths[:-1]), initial=0)) if lengths else ()
    text = texts[0] if len(texts) == 1 else "\n".join(texts)
    cut = len(text) - MOST_CHARACTERS
    if cut <= 0:
        return Joined(text, starts, lengths, truncated=False, cut=0)
    head = MOST_CHARACTERS - TAIL_CHARACTERS
    return Joined(text[:head] + text[-TAIL_CHARACTERS:], starts, lengths, truncated=True, cut=cut)
