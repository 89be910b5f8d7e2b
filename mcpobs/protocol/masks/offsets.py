"""Maps characters of a text to its UTF-8 bytes and back, without reading the whole text for each."""

from __future__ import annotations

from bisect import bisect_right

CHUNK = 512  # characters


class Offsets:
    """The byte at which each chunk of a text begins. `errors` is the way that lone surrogates are encoded."""

    def __init__(self, text: str, errors: str) -> None:
        self._text, self._errors = text, errors
        self._starts: list[int] = []
        if not text.isascii():
            at = 0
            for begin in range(0, len(text) + 1, CHUNK):
                self._starts.append(at)
                at += len(text[begin : begin + CHUNK].encode("utf-8", errors))

    def byte(self, character: int) -> int:
        if not self._starts:
            return character
        chunk = min(character // CHUNK, len(self._starts) - 1)
        return self._starts[chunk] + len(self._text[chunk * CHUNK : character].encode("utf-8", self._errors))

    def character(self, byte: int) -> int:
        if not self._starts:
            return byte
        chunk = bisect_right(self._starts, byte) - 1
        part = self._text[chunk * CHUNK : (chunk + 1) * CHUNK].encode("utf-8", self._errors)
        return chunk * CHUNK + len(part[: byte - self._starts[chunk]].decode("utf-8", self._errors))
