"""Loads `ngrams.c`, built with the package if there is a C compiler (`hatch_build.py`). Decides nothing.

Calls run without the interpreter's lock. Text is passed as lower-case code points, so that C needs no Unicode tables.
"""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Final

LIBRARY: Final = Path(__file__).with_name("_ngrams.so")


class Ngrams:
    """The loaded library. Raises OSError if it is not built or does not fit this version."""

    def __init__(self, path: Path = LIBRARY) -> None:
        library = ctypes.CDLL(str(path))
        size, pointer = ctypes.c_size_t, ctypes.POINTER
        try:
            library.mcpobs_ngrams_score.argtypes = [ctypes.c_char_p, size, ctypes.c_char_p, ctypes.c_uint32]
            library.mcpobs_ngrams_hashes.argtypes = [ctypes.c_char_p, size, pointer(ctypes.c_uint32), size]
        except AttributeError as error:
            raise OSError(f"{path} does not fit this version of mcpobs ({error})") from None
        library.mcpobs_ngrams_score.restype = ctypes.c_int32
        library.mcpobs_ngrams_hashes.restype = size
        self._library = library

    def score(self, text: str, weights: bytes, bits: int) -> int:
        """Returns the sum of the weights (int16, 2**bits of them) of the text's worst window."""
        points = _points(text)
        return int(self._library.mcpobs_ngrams_score(points, len(points) // 4, weights, bits))

    def hashes(self, text: str) -> list[tuple[int, int]]:
        """Returns (block, hash) of every n-gram that counts, in the order of the text."""
        points = _points(text)
        capacity = 18 * (len(points) // 4 + 1)  # at most 9 n-grams a symbol, two numbers each
        out = (ctypes.c_uint32 * capacity)()
        made = self._library.mcpobs_ngrams_hashes(points, len(points) // 4, out, capacity)
        numbers = out[:made]
        return list(zip(numbers[::2], numbers[1::2], strict=True))


def _points(text: str) -> bytes:
    return text.lower().encode("utf-32-le", "surrogatepass")
