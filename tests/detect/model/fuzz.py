"""Scores random texts with a build of ngrams.c and compares hashes with the reference in Python.

    python -m tests.detect.model.fuzz LIBRARY TEXTS

A sanitizer in the library ends the process by itself. Text lies in memory that ends where the text ends.
"""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path
from random import Random

from bench.injection.hashing import hashes
from mcpobs.detect.native.library import Ngrams

ALPHABETS = (
    "ab 1_.-",
    "\n \u3000\t",
    "忽略之前 ab",
    "éß🙂\u200d\ud800\U000e0041",
    "".join(map(chr, range(0x2000, 0x2070))),
)


class Exact:
    """Code points in memory of their own."""

    def __init__(self, points: bytes) -> None:
        self._memory = (ctypes.c_char * len(points)).from_buffer_copy(points) if points else None
        self._as_parameter_ = ctypes.addressof(self._memory) if self._memory is not None else None


def text(random: Random) -> str:
    if random.random() < 0.1:
        return "".join(chr(random.randrange(0x110000)) for _ in range(random.randrange(200)))
    return "".join(random.choices(random.choice(ALPHABETS), k=random.choice((0, 1, 4, 39, 40, 41, 80, 500))))


def main(library: str, count: int) -> int:
    ngrams, random = Ngrams(Path(library)), Random(7)
    raw = ctypes.CDLL(library)
    raw.mcpobs_ngrams_score.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p, ctypes.c_uint32]
    raw.mcpobs_ngrams_hashes.argtypes = [
        ctypes.c_void_p,
        ctypes.c_size_t,
        ctypes.POINTER(ctypes.c_uint32),
        ctypes.c_size_t,
    ]
    raw.mcpobs_ngrams_hashes.restype = ctypes.c_size_t
    for number in range(count):
        bits = random.randrange(1, 18)
        one = text(random)
        points = one.lower().encode("utf-32-le", "surrogatepass")
        raw.mcpobs_ngrams_score(Exact(points), len(points) // 4, Exact(random.randbytes(2 << bits)), bits)
        for capacity in (0, 1, 2, 7):
            out = (ctypes.c_uint32 * capacity)()
            assert raw.mcpobs_ngrams_hashes(Exact(points), len(points) // 4, out, capacity) <= capacity
        if ngrams.hashes(one) != hashes(one):
            print(f"text {number} is hashed differently: {one!r}")
            return 1
    print(f"{count} texts")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
