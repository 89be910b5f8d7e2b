"""The n-gram hashes of `ngrams.c`, in Python: the reference that a test compares it with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

BLOCK: Final = 40
RUN_MAX: Final = 3
SEEN: Final = 1 << 10
PRIME: Final = 0x01000193
WORD_STEP: Final = 0x9E3779B1
BITS: Final = 0xFFFFFFFF

_BLANKS: Final = frozenset({0x85, 0xA0, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000, *range(0x21), *range(0x2000, 0x200B)})
_ALONE: Final = ((0x0E00, 0x0E7F), (0x3040, 0x30FF), (0x3400, 0x9FFF), (0x20000, 0x3FFFF))
_NO_LETTERS: Final = ((0x2000, 0x206F), (0x3000, 0x303F), (0xFF00, 0xFF0F))


def hashes(text: str) -> list[tuple[int, int]]:
    """(block, hash) of every n-gram that counts, in the order of the text."""
    seen: dict[int, tuple[int, int]] = {}
    made = []
    for block, hash_ in _grams(text):
        hash_ = _mixed(hash_)
        if seen.get(hash_ % SEEN) != (block, hash_):  # a slot forgets what it held before: so does the table in C
            seen[hash_ % SEEN] = (block, hash_)
            made.append((block, hash_))
    return made


def _grams(text: str) -> Iterator[tuple[int, int]]:
    last: list[int] = []
    words: list[int] = []
    word = 0
    for number, point in enumerate(_symbols(text)):
        block = number // BLOCK
        last = [point, *last[:4]]
        yield from ((block, hash_) for hash_ in _characters(last))
        if _in(point, _ALONE):
            for each in ([word] if word else []) + [(WORD_STEP ^ point) * PRIME & BITS]:
                words = [_mixed(each), *words[:2]]
                yield from ((block, hash_) for hash_ in _phrases(words))
            word = 0
        elif _of_a_word(point):
            word = ((word or WORD_STEP) ^ point) * PRIME & BITS
        elif word:
            words = [_mixed(word), *words[:2]]
            yield from ((block, hash_) for hash_ in _phrases(words))
            word = 0


def _symbols(text: str) -> Iterator[int]:
    """Blanks, digits and runs made alike; a blank at the end."""
    before, run = None, 0
    for point in [*map(ord, text.lower()), 0x20]:
        point = 0x20 if point in _BLANKS else 0x30 if 0x30 <= point <= 0x39 else point
        run = run + 1 if point == before else 1
        before = point
        if run <= (1 if point == 0x20 else RUN_MAX):
            yield point


def _characters(last: list[int]) -> Iterator[int]:
    hash_ = 0
    for count, point in enumerate(last, 1):
        hash_ = (hash_ ^ point) * PRIME & BITS
        if count >= 3:
            yield hash_ ^ (count + 1)


def _phrases(words: list[int]) -> Iterator[int]:
    yield words[0] ^ 1
    if len(words) > 1 and words[1]:
        two = words[0] + words[1] * WORD_STEP & BITS
        yield two ^ 2
        if len(words) > 2 and words[2]:
            yield (two + words[2] * (WORD_STEP * WORD_STEP & BITS) & BITS) ^ 3


def _mixed(hash_: int) -> int:
    hash_ ^= hash_ >> 16
    hash_ = hash_ * 0x85EBCA6B & BITS
    hash_ ^= hash_ >> 13
    hash_ = hash_ * 0xC2B2AE35 & BITS
    return hash_ ^ hash_ >> 16


def _in(point: int, ranges: tuple[tuple[int, int], ...]) -> bool:
    return any(low <= point <= high for low, high in ranges)


def _of_a_word(point: int) -> bool:
    if point < 0x80:
        return 0x61 <= point <= 0x7A or point in (0x30, 0x5F)
    return point >= 0xAA and point not in (0xAB, 0xBB, 0xBF, 0xD7, 0xF7) and not _in(point, _NO_LETTERS)
