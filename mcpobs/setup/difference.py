"""Finds the changed lines of two texts that differ in a few places. Linear in the texts: compares line by line, and
searches only from a differing line to the next lines that agree. Does no I/O."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

CONTEXT: Final = 3
_AGREE: Final = 3  # equal lines that end a difference: a single brace may be any server's
_FARTHEST: Final = 600  # lines; a longer difference is shown as one


@dataclass(frozen=True, slots=True)
class Hunk:
    """Lines `start:end` of the old text that are the lines `to_start:to_end` of the new one."""

    start: int
    end: int
    to_start: int
    to_end: int


def unified(old: Sequence[str], new: Sequence[str], path: str) -> Iterator[str]:
    """Yields the lines of a unified difference."""
    for number, group in enumerate(_groups(_hunks(old, new))):
        if number == 0:
            yield from (f"--- {path}", f"+++ {path}")
        yield from _group(old, new, group)


def _hunks(old: Sequence[str], new: Sequence[str]) -> Iterator[Hunk]:
    at = to = 0
    while at < len(old) or to < len(new):
        if at < len(old) and to < len(new) and old[at] == new[to]:
            at, to = at + 1, to + 1
            continue
        end, to_end = _agreement(old, new, at, to)
        yield from _parts(old, new, Hunk(at, end, to, to_end))
        at, to = end, to_end


def _agreement(old: Sequence[str], new: Sequence[str], at: int, to: int) -> tuple[int, int]:
    """Returns the nearest places after `at` and `to` from which the texts agree; their ends if there are none."""
    for distance in range(1, _FARTHEST):
        for skipped in range(distance + 1):
            end, to_end = at + skipped, to + distance - skipped
            if end > len(old) or to_end > len(new):
                continue
            ahead = old[end : end + _AGREE]
            if ahead == new[to_end : to_end + _AGREE] and (len(ahead) == _AGREE or end + len(ahead) == len(old)):
                return end, to_end
    return _common_end(old, new, at, to)


def _common_end(old: Sequence[str], new: Sequence[str], at: int, to: int) -> tuple[int, int]:
    end, to_end = len(old), len(new)
    while end > at and to_end > to and old[end - 1] == new[to_end - 1]:
        end, to_end = end - 1, to_end - 1
    return end, to_end


def _parts(old: Sequence[str], new: Sequence[str], hunk: Hunk) -> Iterator[Hunk]:
    """Yields the differences within one, without the lines in it that agree."""
    if hunk.end - hunk.start + hunk.to_end - hunk.to_start > _FARTHEST:
        yield hunk
        return
    matcher = difflib.SequenceMatcher(None, old[hunk.start : hunk.end], new[hunk.to_start : hunk.to_end], False)
    for tag, start, end, to_start, to_end in matcher.get_opcodes():
        if tag != "equal":
            yield Hunk(hunk.start + start, hunk.start + end, hunk.to_start + to_start, hunk.to_start + to_end)


def _groups(hunks: Iterator[Hunk]) -> Iterator[list[Hunk]]:
    """Yields hunks that share lines of context together."""
    group: list[Hunk] = []
    for hunk in hunks:
        if group and hunk.start - group[-1].end > 2 * CONTEXT:
            yield group
            group = []
        group.append(hunk)
    if group:
        yield group


def _group(old: Sequence[str], new: Sequence[str], group: Sequence[Hunk]) -> Iterator[str]:
    first, last = group[0], group[-1]
    before = min(CONTEXT, first.start)
    after = min(CONTEXT, len(old) - last.end)
    place = _range(first.start - before, last.end + after)
    yield f"@@ -{place} +{_range(first.to_start - before, last.to_end + after)} @@"
    at = first.start - before
    for hunk in group:
        yield from (f" {line}" for line in old[at : hunk.start])
        yield from (f"-{line}" for line in old[hunk.start : hunk.end])
        yield from (f"+{line}" for line in new[hunk.to_start : hunk.to_end])
        at = hunk.end
    yield from (f" {line}" for line in old[at : at + after])


def _range(start: int, end: int) -> str:
    length = end - start
    return f"{start + 1}" if length == 1 else f"{start + 1 if length else start},{length}"
