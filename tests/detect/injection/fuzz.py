"""Walks random texts with a build of anchors.c and compares its windows with a reference in Python.

    python -m tests.detect.injection.fuzz LIBRARY TEXTS

A sanitizer in the library ends the process by itself. Text and rooms lie in memory that ends where they end.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Sequence
from pathlib import Path
from random import Random

from mcpobs.detect.native.anchors import BETWEEN, MOST_WINDOWS, STEP, Automaton, Window, _class
from tests.detect.model.fuzz import Exact

NEIGHBOUR = 150
LETTERS = "abc1"
ALPHABETS = ("abc1 ", "ABCabc\t\n.", "abc é忽\u017f\u212a", "ab" + " " * 8, "aaaab", "".join(map(chr, range(256))))
Pattern = tuple[Sequence[int], int]


def sets_of(random: Random) -> list[list[str]]:
    """Returns sets of words; many are parts of others, and some begin or end where a word does."""
    return [[word(random) for _ in range(random.randrange(1, 5))] for _ in range(random.randrange(1, 7))]


def word(random: Random) -> str:
    letters = "".join(random.choices(LETTERS, k=random.randrange(1, 5)))
    return random.choice(("", "", BETWEEN)) + letters + random.choice(("", "", BETWEEN))


def patterns_of(random: Random, sets: int) -> list[Pattern]:
    made: list[Pattern] = []
    for _ in range(random.randrange(1, 7)):
        needs = random.sample(range(sets), random.randrange(1, min(sets, 3) + 1))
        made.append((needs, random.choice((1, 4, 16, 60, 160))))
    return made


def text_of(random: Random) -> bytes:
    size = random.choice((0, 1, 2, STEP - 1, STEP, STEP + 1, 2 * STEP, 100, 700, 5_000))
    if random.random() < 0.2:
        return random.randbytes(size)
    return "".join(random.choices(random.choice(ALPHABETS), k=size)).encode("utf-8", "surrogatepass")


def reference(sets: Sequence[Sequence[str]], patterns: Sequence[Pattern], data: bytes) -> dict[int, list[Window]]:
    """Returns the windows, by looking for every word at the end of every symbol."""
    symbols, places = _symbols(data)
    last: dict[int, int] = {}
    windows: dict[int, list[list[int]]] = {}
    for symbol in range(1, len(symbols)):
        ended = symbols[: symbol + 1]
        for number, words in enumerate(sets):
            if any(ended.endswith(each) for each in words):
                last[number] = symbol
        for pattern, (needs, span) in enumerate(patterns):
            met = any(last.get(each) == symbol for each in needs)
            if not met or any(last.get(each, -(1 << 40)) < symbol - span for each in needs):
                continue
            known = windows.setdefault(pattern, [])
            if known and known[-1][1] >= symbol - span - NEIGHBOUR:
                known[-1][1] = symbol + span
            else:
                known.append([symbol - span, symbol + span])
    return {pattern: [_bytes(window, places, len(data)) for window in known] for pattern, known in windows.items()}


def _symbols(data: bytes) -> tuple[str, list[int]]:
    """Returns the symbols after the one for the beginning of the text, and the bytes at which they begin."""
    symbols, places = BETWEEN, [0]
    for at in range(len(data) + 1):
        letter = chr(data[at]) if at < len(data) else ""
        symbol = letter.lower() if letter and _class(letter) else BETWEEN
        if symbol == BETWEEN and symbols[-1] == BETWEEN:
            continue
        symbols += symbol
        places.append(at)
    return symbols, places


def _bytes(window: Sequence[int], places: Sequence[int], size: int) -> Window:
    end = (window[1] // STEP + 1) * STEP
    return places[window[0] // STEP * STEP] if window[0] > 0 else 0, places[end] if end < len(places) else size


def raw_windows(library: str, automaton: Automaton, data: bytes, sets: int, patterns: int, windows: int) -> int:
    """Calls the library with rooms as large as its comment says and not a byte larger."""
    walk = ctypes.CDLL(library).mcpobs_anchors_windows
    walk.restype = ctypes.c_int64
    kept = [Exact(data), *(Exact(bytes(8 * room)) for room in (len(data) // STEP + 2, sets, 2 * patterns, 3 * windows))]
    memory = [ctypes.c_void_p(one._as_parameter_) for one in kept]
    sizes = ctypes.c_size_t(len(data)), ctypes.c_size_t(3 * windows)
    return int(walk(ctypes.byref(automaton._table), memory[0], sizes[0], *memory[1:], sizes[1]))


def main(library: str, count: int) -> int:
    random = Random(7)
    for number in range(count):
        sets = sets_of(random)
        patterns = patterns_of(random, len(sets))
        data = text_of(random)
        found = Automaton(sets, patterns, Path(library)).windows(data)
        expected = reference(sets, patterns, data)
        if found != expected and not (found is None and sum(map(len, expected.values())) > MOST_WINDOWS):
            print(f"text {number}: {found} for {expected}: {sets} {patterns} {data!r}")
            return 1
        windows = sum(map(len, expected.values()))
        automaton = Automaton(sets, patterns, Path(library))
        for room in {0, max(0, windows - 1), windows}:
            made = raw_windows(library, automaton, data, len(sets), len(patterns), room)
            assert made == (3 * windows if room >= windows else -1)
    print(f"{count} texts")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
