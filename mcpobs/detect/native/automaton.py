"""Loads `automaton.c` (`hatch_build.py` builds it) and walks a table of expressions with it. Decides nothing."""

from __future__ import annotations

import ctypes
import json
import sys
import zlib
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

LIBRARY: Final = Path(__file__).with_name("_automaton.so")
NOTHING: Final = 0xFFFFFFFF
"""In place of the number of an expression that has to stand near."""


class Table(NamedTuple):
    """Expressions, by name, as one automaton. `bench/injection/packing.py` says how it is laid out."""

    names: Sequence[str]
    classes: bytes
    openings: bytes
    roots: Sequence[int]
    lanes: Sequence[int]
    entries: array[int]
    lists: array[int]

    def packed(self) -> bytes:
        """Returns the table as a file."""
        head = {"names": self.names, "roots": self.roots, "lanes": self.lanes, "entries": len(self.entries)}
        numbers = self.entries + self.lists
        if sys.byteorder == "big":
            numbers.byteswap()
        return zlib.compress(json.dumps(head).encode() + b"\n" + self.classes + self.openings + numbers.tobytes(), 9)

    @classmethod
    def unpacked(cls, file: bytes) -> Table:
        raw = zlib.decompress(file)
        line = raw.index(b"\n") + 1
        head = json.loads(raw[:line])
        begin = line + CLASSES + OPENING_BYTES
        numbers = array("I", raw[begin:])
        if sys.byteorder == "big":
            numbers.byteswap()
        entries, lists = numbers[: head["entries"]], numbers[head["entries"] :]
        classes, openings = raw[line : line + CLASSES], raw[line + CLASSES : begin]
        return cls(head["names"], classes, openings, head["roots"], head["lanes"], entries, lists)


CLASSES: Final = 257
"""Of the 256 bytes, and of the end of a text."""


CLASS_BITS: Final = 24
FREE: Final = 0xFF << CLASS_BITS
"""An entry has its class above the state that it leads to. No class has this number."""

OPENING: Final = 3
"""Groups of bytes that a thread begins with, or none begins."""

GROUP_BITS: Final = 5
OPENING_BYTES: Final = 3 << GROUP_BITS * OPENING >> 3


def _group(byte: int) -> int:
    """Returns the group of a byte: each letter has its own, digits, blanks, other signs and other bytes one each."""
    letter = chr(byte).lower()
    if byte > 127:
        return 30
    if letter.isalpha():
        return ord(letter) - ord("a")
    return 26 if letter.isdigit() else 27 if letter in "\t\n\f\r " else 28


GROUPS: Final = bytes([*map(_group, range(256)), 31])
"""Of the 256 bytes, and of the end of a text. Coarser than classes: three of them fit into the processor's cache."""


class Target(NamedTuple):
    """Something to look for: the number of an expression, of another one that has to stand near, and the distance."""

    regex: int
    near: int | None = None
    within: int = 0


class _Table(ctypes.Structure):
    _fields_ = (
        *(
            (name, ctypes.c_void_p)
            for name in ("classes", "groups", "openings", "entries", "lists", "lanes", "targets", "uses", "used")
        ),
        ("roots", ctypes.c_uint32 * 3),
        *((name, ctypes.c_uint32) for name in ("happens", "lane_count", "target_count", "expression_count")),
    )


class Automaton:
    """A table, and what to look for in it. Raises OSError if the library is not built."""

    def __init__(self, table: Table, targets: Sequence[Target], path: Path = LIBRARY) -> None:
        try:
            self._walk = ctypes.CDLL(str(path)).mcpobs_automaton_walk
        except AttributeError as error:
            raise OSError(f"{path} does not fit this version of mcpobs ({error})") from None
        self._walk.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t, *[ctypes.c_void_p] * 4]
        self._walk.restype = ctypes.c_int64
        uses, used = _uses(len(table.names), targets)
        listed = array("I")
        for each in targets:
            listed.extend([each.regex, NOTHING if each.near is None else each.near, each.within])
        arrays = (table.entries, table.lists, array("I", [*table.lanes, 0]), array("I", [*listed, 0]), uses, used)
        bits = [ctypes.create_string_buffer(each, len(each)) for each in (table.classes, GROUPS, table.openings)]
        self._kept = (bits, arrays)  # C holds their addresses
        self._table = _Table(
            *map(ctypes.addressof, bits),
            *(numbers.buffer_info()[0] for numbers in arrays),
            (ctypes.c_uint32 * 3)(*table.roots),
            max(table.classes) + 1,
            len(table.lanes),
            len(targets),
            len(table.names),
        )
        self._address = ctypes.addressof(self._table)
        matched, lanes, out = 16 * len(table.names), 4 * len(table.lanes), 16 * len(targets)
        self._places = (0, matched, matched + out, matched + out + lanes)
        self._room = ctypes.c_uint8 * (matched + out + lanes + len(targets) + 1)

    def walk(self, data: bytes) -> list[tuple[int, int]] | None:
        """Returns the numbers of the targets that the text may hold, each with the place before which none begins.
        None if the text is made to have too many beginnings of matches."""
        room = self._room()
        matched, out, lanes, found = (ctypes.addressof(room) + place for place in self._places)
        made = self._walk(self._address, data, len(data), matched, found, lanes, out)
        if made < 0:
            return None
        numbers = (ctypes.c_int64 * made).from_address(out)[:]
        return list(zip(numbers[::2], numbers[1::2], strict=True))


def _uses(expressions: int, targets: Sequence[Target]) -> tuple[array[int], array[int]]:
    """Returns, by expression, the targets that it belongs to: where they begin, and their numbers."""
    rows: list[list[int]] = [[] for _ in range(expressions)]
    for number, each in enumerate(targets):
        for regex in dict.fromkeys([each.regex, each.regex if each.near is None else each.near]):
            rows[regex].append(number)
    starts, numbers = array("I", [0]), array("I")
    for row in rows:
        numbers.extend(row)
        starts.append(len(numbers))
    numbers.append(0)  # an empty one has no address
    return starts, numbers
