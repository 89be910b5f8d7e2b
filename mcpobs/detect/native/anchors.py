"""Builds the automaton that `anchors.c` walks, and loads that library (`hatch_build.py` builds it). Decides nothing."""

from __future__ import annotations

import ctypes
from array import array
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from string import ascii_lowercase, digits
from typing import Final

LIBRARY: Final = Path(__file__).with_name("_anchors.so")
STEP: Final = 16
"""As in C: symbols from one to the next that has its place kept."""

MOST_WINDOWS: Final = 1024
"""Windows in one text. A text with more is no ordinary one."""

BETWEEN: Final = " "
"""What stands for everything between words, and for the ends of a text."""

_LETTERS: Final = f"{BETWEEN}{ascii_lowercase}{digits}"
WIDTH: Final = len(_LETTERS)
"""Classes of bytes: letters, upper and lower case as one, digits, and 0 for all others."""

Window = tuple[int, int]


class _Table(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("classes", "next")),
        ("width", ctypes.c_uint32),
        *((name, ctypes.c_void_p) for name in ("ends", "sets", "users", "patterns", "needs", "needed", "spans")),
        *((name, ctypes.c_uint32) for name in ("set_count", "pattern_count")),
    )


class Automaton:
    """Sets of words, and patterns that need a word of each of some sets within a span of symbols: letters, digits,
    and whatever stands between words as one.

    Raises OSError if the library is not built.
    """

    def __init__(
        self, sets: Sequence[Collection[str]], patterns: Sequence[tuple[Sequence[int], int]], path: Path = LIBRARY
    ) -> None:
        """Takes for each pattern the numbers of its sets, and its span."""
        try:
            self._windows = ctypes.CDLL(str(path)).mcpobs_anchors_windows
        except AttributeError as error:
            raise OSError(f"{path} does not fit this version of mcpobs ({error})") from None
        size, pointer = ctypes.c_size_t, ctypes.c_void_p
        self._windows.argtypes = [pointer, ctypes.c_char_p, size, *[pointer] * 4, size]
        self._windows.restype = ctypes.c_int64
        following, ending = _walked(sets)
        users = [[number for number, (needs, _) in enumerate(patterns) if each in needs] for each in range(len(sets))]
        classes = bytes(_class(chr(byte)) for byte in range(256))
        spans = array("I", (span for _, span in patterns))
        tables = (*_rows(ending), *_rows(users), *_rows([needs for needs, _ in patterns]), spans)
        self._kept = (ctypes.create_string_buffer(classes, 256), following, tables)  # C holds their addresses
        self._table = _Table(
            ctypes.addressof(self._kept[0]),
            _address(following),
            WIDTH,
            *map(_address, tables),
            len(sets),
            len(patterns),
        )
        self._rooms = (len(sets), 2 * len(patterns), 3 * MOST_WINDOWS)

    def windows(self, data: bytes) -> dict[int, list[Window]] | None:
        """Returns, by pattern, the windows that it can match in. None if they are too many."""
        rooms = [(ctypes.c_int64 * (room + 1))() for room in (len(data) // STEP + 2, *self._rooms)]
        made = self._windows(ctypes.byref(self._table), data, len(data), *rooms, 3 * MOST_WINDOWS)
        if made < 0:
            return None
        found: dict[int, list[Window]] = {}
        numbers = rooms[3][:made]
        for pattern, start, end in zip(numbers[::3], numbers[1::3], numbers[2::3], strict=True):
            found.setdefault(pattern, []).append((start, end))
        return found


def _class(letter: str) -> int:
    return max(0, _LETTERS.find(letter.lower())) if letter.isascii() else 0


def _address(numbers: array[int]) -> int:
    return numbers.buffer_info()[0]


def _rows(rows: Iterable[Iterable[int]]) -> tuple[array[int], array[int]]:
    """Returns where each row begins in the numbers of all, with an end; and these numbers."""
    starts, numbers = array("I", [0]), array("H")
    for row in rows:
        numbers.extend(row)
        starts.append(len(numbers))
    numbers.append(0)  # an empty one has no address
    return starts, numbers


def _walked(sets: Sequence[Collection[str]]) -> tuple[array[int], list[list[int]]]:
    """Returns the automaton of Aho and Corasick: the state after each state and class, and the sets that end there."""
    children: list[dict[int, int]] = [{}]
    ending: list[list[int]] = [[]]
    for number, words in enumerate(sets):
        for word in words:
            state = 0
            for letter in word:
                state = children[state].setdefault(_class(letter), len(children))
                if state == len(children):
                    children.append({})
                    ending.append([])
            ending[state].append(number)
    order, shorter = _breadth_first(children)
    number_of = {state: number for number, state in enumerate(order)}  # what texts visit most lies side by side
    rows: list[list[int]] = [[] for _ in children]
    for state in order:
        row = rows[shorter[state]].copy() if state else [0] * WIDTH
        for symbol, child in children[state].items():
            row[symbol] = child
        rows[state] = row
        if state:
            ending[state] = list(dict.fromkeys([*ending[state], *ending[shorter[state]]]))
    following = array("H", (number_of[each] for state in order for each in rows[state]))
    return following, [ending[state] for state in order]


def _breadth_first(children: Sequence[Mapping[int, int]]) -> tuple[list[int], list[int]]:
    """Returns the states by depth, and for each the state of the longest shorter ending that begins a word."""
    order, shorter = [0], [0] * len(children)
    for state in order:
        for letter, child in children[state].items():
            order.append(child)
            back = shorter[state]
            while state and letter not in children[back] and back:
                back = shorter[back]
            shorter[child] = children[back].get(letter, 0) if state else 0
    return order, shorter
