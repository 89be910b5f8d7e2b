"""Content codings of bodies: which can be undone here, and that slice by slice. Does no I/O.

Undoes what clients undo: several codings in a row, gzip in several members, deflate with and without its header, and
words that are no coding, which clients pass over.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Protocol

from multidict import MultiMapping

MAX_PLAIN_BYTES = 64 << 20  # of a body, whatever its size is as it was sent
MAX_RATIO = 64  # bytes of a body for each that was sent, beyond MAX_PLAIN_BYTES: JSON has some 20
MAX_STAGES = 5  # as fetch of Node
ASKED_FOR = ("gzip", "deflate", "identity")
"""Content codings that a front asks the server for; it can undo no other."""
_UNDONE = {"gzip": "gzip", "x-gzip": "gzip", "deflate": "deflate"}
_OF_OTHERS = frozenset(
    ("aes128gcm", "br", "compress", "dcb", "dcz", "exi", "pack200-gzip", "x-compress", "zstd")
)  # registered with IANA: some client may undo them
_GZIP_WINDOW = 16 + zlib.MAX_WBITS
_NOTHING_MORE = -1 << 62


class Inflater(Protocol):
    def slices(self, chunk: bytes, at_most: int) -> Iterator[bytes]:
        """The decoded bytes of the chunk, at most so many at a time."""


def coding_of(headers: MultiMapping[str]) -> str | None:
    """The Content-Encoding of a body, which may come in several headers."""
    values = headers.getall("Content-Encoding", ())
    return ", ".join(values) if values else None


def is_readable(coding: str | None) -> bool:
    """Whether a Content-Encoding names nothing but what can be undone here."""
    words = _words(coding)
    return len(words) <= MAX_STAGES and all(word in _UNDONE for word in words)


def is_hidden(coding: str | None) -> bool:
    """Whether a body is in a coding that only clients can undo."""
    words = _words(coding)
    return len(words) > MAX_STAGES or not _OF_OTHERS.isdisjoint(words)


def inflater(coding: str | None, strict: bool = False) -> Inflater:
    """For a Content-Encoding. Leaves out what does not inflate, and all that is too much.

    With `strict` it raises zlib.error for what does not inflate, gives everything, however much it is, and reads
    nothing unless the coding is readable."""
    words = _words(coding)
    if not words:
        return Plain()
    if strict and not is_readable(coding):
        return _Unread()
    stages: list[_Zlib] = []
    for word in reversed(words):  # the last one was applied last
        if word in _OF_OTHERS or len(stages) == MAX_STAGES:
            break
        if word in _UNDONE:
            stages.append(_Zlib(_UNDONE[word]))
    return _Coded(stages, strict) if stages else Plain()


def _words(coding: str | None) -> list[str]:
    if coding is None:  # of nearly all bodies
        return []
    words = [word.strip().lower() for word in coding.split(",")]
    return [word for word in words if word not in ("", "identity")]


class Plain:
    """A body without a coding."""

    def slices(self, chunk: bytes, at_most: int) -> Iterator[bytes]:
        if len(chunk) <= at_most:
            yield chunk
        else:
            for at in range(0, len(chunk), at_most):
                yield chunk[at : at + at_most]


class _Unread:
    def slices(self, chunk: bytes, at_most: int) -> Iterator[bytes]:
        return iter(())


class _Coded:
    """A body in one or more codings; the stage that was applied last comes first."""

    def __init__(self, stages: list[_Zlib], strict: bool) -> None:
        self._stages = stages
        self._strict = strict
        self._left = MAX_PLAIN_BYTES

    def slices(self, chunk: bytes, at_most: int) -> Iterator[bytes]:
        self._left += MAX_RATIO * len(chunk)
        try:
            yield from self._through(chunk, at_most, 0)
        except zlib.error:
            if self._strict:
                raise
            self._left = _NOTHING_MORE

    def _through(self, chunk: bytes, at_most: int, stage: int) -> Iterator[bytes]:
        """The chunk through the stages from this one on. What each of them gives counts, because each costs time."""
        if stage == len(self._stages):
            yield chunk
            return
        for part in self._stages[stage].slices(chunk, at_most):
            if self._left <= 0 and not self._strict:
                self._left = _NOTHING_MORE  # a hole in the text: nothing after it can be read
                return
            self._left -= len(part)
            yield from self._through(part, at_most, stage + 1)


class _Zlib:
    """One stage. Raises zlib.error for what does not inflate."""

    def __init__(self, coding: str) -> None:
        self._is_gzip = coding == "gzip"
        self._stream = zlib.decompressobj(_GZIP_WINDOW) if self._is_gzip else None

    def slices(self, chunk: bytes, at_most: int) -> Iterator[bytes]:
        while chunk:
            stream = self._stream = self._stream or zlib.decompressobj(_window(chunk[0]))
            if stream.eof:
                chunk = chunk.lstrip(b"\0")  # which pads a gzip file, and is no member
                if not chunk:
                    return
                if not self._is_gzip:
                    raise zlib.error("more after the end")
                stream = self._stream = zlib.decompressobj(_GZIP_WINDOW)
            part = stream.decompress(chunk, at_most)
            chunk = stream.unused_data if stream.eof else stream.unconsumed_tail
            if part:
                yield part


def _window(first: int) -> int:
    """Of deflate by its first byte: the header of zlib names its method in the low bits, which servers leave out."""
    return zlib.MAX_WBITS if first & 0x0F == 8 else -zlib.MAX_WBITS
