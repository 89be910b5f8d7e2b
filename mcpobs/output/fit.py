"""Fits the columns of a table into a terminal's cells. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from os.path import commonprefix
from typing import Literal

from mcpobs.output.text import taken, width

Kind = Literal["whole", "id", "text"]
"""`whole` never goes on in a further line (numbers); an `id` breaks only at the end of a line, so that its first line
is a prefix of it; `text` breaks between words, else behind punctuation."""

ID_CELLS = 16
"""An id has at least so many cells in its first line: nearly always enough to be the only one that begins so."""
WHOLE_ID_CELLS = 40
LEAST_TEXT, TEXT_CELLS = 10, 24
MOST_LINES = 24
_BREAKS = (frozenset(",;|/&?})]>"), frozenset("-_.:="))
"""Punctuation behind which a long word goes on in the next line, the better first."""


@dataclass(frozen=True, slots=True)
class Measure:
    """What a column needs: `natural` cells for its longest text, `first` for its longest word or, of ids, the prefix
    in which they differ, `heading` for the longest word of its heading, and `title` for all of that."""

    kind: Kind
    natural: int
    first: int
    heading: int
    title: int

    @property
    def least(self) -> int:
        if self.kind == "whole":
            return max(self.natural, self.heading)
        bound = max(ID_CELLS, self.first) if self.kind == "id" else min(self.first, LEAST_TEXT)
        return max(min(self.natural, bound), self.heading)

    @property
    def has_many_words(self) -> bool:
        return self.natural > min(self.first, TEXT_CELLS)

    def comfortable(self, cells: int) -> int:
        if self.kind == "whole":
            return max(self.natural, self.title)
        wide = max(WHOLE_ID_CELLS, self.first) if self.kind == "id" else max(TEXT_CELLS, cells // 3)
        return max(min(self.natural, wide), self.title)


def measure(heading: str, texts: Sequence[str], right: bool, is_id: bool) -> Measure:
    """Measures a column."""
    natural = max(map(width, texts), default=0)
    words, title = max((width(word) for word in heading.split(" ")), default=0), width(heading)
    if right:
        return Measure("whole", natural, natural, words, title)
    if is_id:
        return Measure("id", natural, _differing(texts), words, title)
    first = max((width(word) for text in texts for word in text.split(" ")), default=0)
    return Measure("text", natural, first, words, title)


def fit(columns: Sequence[Measure], must: int, cells: int, gap: int) -> list[int] | None:
    """The widths of the columns that are shown, from the left: the first `must`, and further ones for which there is
    room. None if there is not even room for those."""
    wanted = [column.comfortable(cells) for column in columns]
    shown = must
    if _line(wanted[:shown], gap) <= cells:
        while shown < len(columns) and _line(wanted[: shown + 1], gap) <= cells:
            shown += 1
        widths = wanted[:shown]
    else:
        widths = [column.least for column in columns[:must]]
    spare = cells - _line(widths, gap)
    return None if spare < 0 else _widened(columns[:shown], widths, spare)


def _widened(columns: Sequence[Measure], widths: list[int], spare: int) -> list[int]:
    """Shares out the spare cells: ids and names are whole if there is room, then the text with the most lines grows."""
    needs = [(column.kind != "id", column.natural - widths[place], place) for place, column in enumerate(columns)]
    for is_text, more, place in sorted(needs):
        if 0 < more <= spare and not (is_text and columns[place].has_many_words):
            widths[place] += more
            spare -= more
    while spare > 0:
        high = [-(-column.natural // room) for column, room in zip(columns, widths, strict=True)]
        if max(high) <= 1:
            break
        place = min(range(len(high)), key=lambda n: (-high[n], columns[n].natural - widths[n]))
        widths[place] += 1
        spare -= 1
    return widths


def _differing(texts: Sequence[str]) -> int:
    """The length of the prefix that distinguishes each text from every other."""
    ordered = sorted(set(texts))
    most = 0
    for one, other in pairwise(ordered):
        most = max(most, len(commonprefix((one, other))) + 1)  # noqa: RUF071 - of texts, not of paths
    return most


def lines_of(text: str, cells: int, kind: Kind = "text") -> list[str]:
    """A cell's text in lines of at most so many cells."""
    if width(text) <= cells:
        return [text]
    lines: list[str] = [""]
    for word in [text] if kind == "id" else text.split(" "):
        joined = f"{lines[-1]} {word}" if lines[-1] else word
        if width(joined) <= cells:
            lines[-1] = joined
        else:
            lines = [*filter(None, lines), *_parts(word, cells, kind)]
    if len(lines) > MOST_LINES:
        last = taken(lines[MOST_LINES - 1], max(1, cells - 2)).rstrip()
        lines = [*lines[: MOST_LINES - 1], f"{last} …"]
    return lines


def _parts(word: str, cells: int, kind: Kind) -> list[str]:
    """A word in lines of at most so many cells, of which text ends behind punctuation if there is any in the second
    half of a line."""
    parts = []
    while width(word) > cells:
        part = taken(word, cells) or word[:1]
        if kind == "text":
            part = part[: _break(part)]
        parts.append(part)
        word = word[len(part) :]
    return [*parts, word] if word else parts


def _break(part: str) -> int:
    for breaks in _BREAKS:
        place = max((n for n, char in enumerate(part) if char in breaks), default=-1) + 1
        if place > len(part) // 2:
            return place
    return len(part)


def _line(widths: Sequence[int], gap: int) -> int:
    return sum(widths) + gap * (len(widths) - 1)
