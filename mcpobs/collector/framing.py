"""Finds where a request's body ends on its connection, and counts its framing. Decodes nothing.

aiohttp's parser reads the same bytes. It does not report where a message ends, and reports a broken chunk only after
the request's handler has ended.
"""

from __future__ import annotations

import re
from typing import Final, Literal, Protocol

_SIZE_LINE: Final = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\x00-\x08\x0a-\x1f\x7f]*)?\r\n")


class FramingError(Exception):
    """The body's framing violates HTTP/1.1."""


class Framing(Protocol):
    """Tracks how much of a body has arrived."""

    @property
    def body_bytes(self) -> int: ...

    @property
    def framing_bytes(self) -> int:
        """Bytes of chunk sizes, chunk extensions and trailers."""

    @property
    def ended(self) -> bool: ...

    def feed(self, data: bytes) -> int:
        """Returns how many of these bytes belong to the body. Raises FramingError."""


def framing_of(headers: dict[bytes, bytes]) -> Framing:
    """Returns the framing that a request's head announces. Raises FramingError."""
    coding = headers.get(b"transfer-encoding")
    if coding is None:
        return Length(int(headers.get(b"content-length", b"0")))  # aiohttp has checked that it is a number
    if not coding.strip().lower().endswith(b"chunked"):
        raise FramingError
    return Chunks()


class Length:
    """A body of a known length, or none."""

    framing_bytes = 0

    def __init__(self, length_bytes: int) -> None:
        self.body_bytes = 0
        self._left_bytes = length_bytes

    @property
    def ended(self) -> bool:
        return not self._left_bytes

    def feed(self, data: bytes) -> int:
        taken = min(len(data), self._left_bytes)
        self._left_bytes -= taken
        self.body_bytes += taken
        return taken


class Chunks:
    """A chunked body (RFC 9112, 7.1)."""

    def __init__(self) -> None:
        self.body_bytes = 0
        self.framing_bytes = 0
        self.ended = False
        self._left_bytes = 0
        self._line = b""
        self._expected: Literal["size", "end of chunk", "trailer"] = "size"

    def feed(self, data: bytes) -> int:
        at = 0
        while at < len(data) and not self.ended:
            if self._left_bytes:
                taken = min(len(data) - at, self._left_bytes)
                self._left_bytes -= taken
                self.body_bytes += taken
            else:
                end = data.find(b"\n", at)
                taken = (end + 1 if end >= 0 else len(data)) - at
                self.framing_bytes += taken
                self._line += data[at : at + taken]
                if end >= 0:
                    self._take_line()
            at += taken
        return at

    def _take_line(self) -> None:
        line, self._line = self._line, b""
        match self._expected:
            case "size":
                size = _SIZE_LINE.fullmatch(line)
                if size is None:
                    raise FramingError
                self._left_bytes = int(size[1], 16)
                self._expected = "end of chunk" if self._left_bytes else "trailer"
            case "end of chunk":
                if line != b"\r\n":
                    raise FramingError
                self._expected = "size"
            case "trailer":
                self.ended = line == b"\r\n"
