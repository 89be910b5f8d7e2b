"""Walks random texts with a build of automaton.c and compares what it says with the library that is in use.

    python -m tests.detect.injection.fuzz LIBRARY TEXTS

A sanitizer in the library ends the process by itself. Text and rooms lie in memory that ends where they end.
"""

from __future__ import annotations

import ctypes
import sys
from random import Random

from mcpobs.detect.injection.families import FAMILIES
from mcpobs.detect.injection.scanning import sought
from mcpobs.detect.injection.table import loaded
from mcpobs.detect.native.automaton import Automaton
from tests.detect.model.fuzz import Exact

PATTERNS = [pattern for patterns in FAMILIES.values() for pattern in patterns]
PIECES = [*(each.finds for each in PATTERNS), *(each.passes for each in PATTERNS)]
BETWEEN = ("", " ", "\n", "x", "_", "é", "你", "\0", " " * 200)


def text_of(random: Random) -> bytes:
    if random.random() < 0.2:
        return random.randbytes(random.choice((0, 1, 2, 3, 4, 300)))
    pieces = (random.choice(PIECES) + random.choice(BETWEEN) for _ in range(random.randrange(1, 6)))
    data = bytearray("".join(pieces).encode("utf-8", "surrogatepass"))
    if random.random() < 0.1:
        data *= random.choice((2, 50))
    for _ in range(random.randrange(4)):
        data[random.randrange(len(data))] = random.randrange(256)
    return bytes(data[: random.randrange(len(data) + 1)])


def walked(library: str, automaton: Automaton, data: bytes) -> list[tuple[int, int]] | None:
    """Calls the library with rooms as large as its comment says and not a byte larger."""
    walk = ctypes.CDLL(library).mcpobs_automaton_walk
    walk.restype = ctypes.c_int64
    table = automaton._table
    sizes = 16 * table.expression_count, table.target_count, 4 * table.lane_count, 16 * table.target_count
    kept = [Exact(data), *(Exact(bytes(size)) for size in sizes)]
    memory = [ctypes.c_void_p(one._as_parameter_) for one in kept]
    made = walk(ctypes.byref(table), memory[0], ctypes.c_size_t(len(data)), *memory[1:])
    if made < 0:
        return None
    numbers = (ctypes.c_int64 * made).from_address(kept[-1]._as_parameter_ or 0)[:] if made else []
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def main(library: str, count: int) -> int:
    random = Random(7)
    known = loaded(sought())
    assert known is not None
    for number in range(count):
        data = text_of(random)
        if walked(library, known[1], data) != known[1].walk(data):
            print(f"text {number} is walked differently: {data!r}")
            return 1
    print(f"{count} texts")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
