"""Splits a byte stream into the frames of newline-delimited JSON. Never decodes, never holds more than it may."""

from __future__ import annotations

from typing import NamedTuple

MAX_FRAME_BYTES = 64 << 20


class Lines:
    """Gives whole lines and keeps a half one for later. One object a direction.

    A line over `max_bytes` (without its newline) is dropped as it comes, and counted in `oversized`.
    """

    def __init__(self, max_bytes: int = MAX_FRAME_BYTES) -> None:
        self._max_bytes = max_bytes
        self._half = bytearray()  # grows in place: 10 MB in small chunks stays linear, and small in memory
        self._dropping = False
        self.oversized = 0

    def feed(self, chunk: bytes) -> list[bytes]:
        """The lines that the chunk completes, without \\n or \\r\\n; blank lines are left out."""
        end = len(chunk) - 1
        if 0 < end <= self._max_bytes and chunk.find(b"\n") == end and not (self._half or self._dropping):
            line = chunk[:-1]  # a chunk is one whole line, nearly always
            return [] if line.isspace() else [line.removesuffix(b"\r")]
        head, newline, tail = chunk.partition(b"\n")
        if not newline:
            self._keep(head)
            return []
        lines = [self._complete(head)]
        if tail:
            *whole, rest = tail.split(b"\n")
            lines += [self._checked(line) for line in whole]
            self._keep(rest)
        return [line.removesuffix(b"\r") for line in lines if line and not line.isspace()]

    def _keep(self, part: bytes) -> None:
        if self._dropping:
            return
        if len(self._half) + len(part) > self._max_bytes:
            self._half = bytearray()
            self._dropping = True
            self.oversized += 1
            return
        self._half += part

    def _complete(self, head: bytes) -> bytes:
        if not self._half and not self._dropping:
            return self._checked(head)
        self._keep(head)
        line = bytes(self._half)
        self._half = bytearray()
        self._dropping = False
        return line

    def _checked(self, line: bytes) -> bytes:
        if len(line) <= self._max_bytes:
            return line
        self.oversized += 1
        return b""


class Line(NamedTuple):
    """A line as it came: its bytes without its end, and that end: `\\n`, `\\r\\n`, or nothing at the stream's end.

    `is_cut`: it is over the limit, and this is its beginning; what follows up to its end is dropped."""

    content: bytes
    end: bytes
    is_cut: bool = False


class WholeLines:
    """Gives every line, also a blank one, with its end, and keeps a half one for later. For a front that enforces."""

    def __init__(self, max_bytes: int = MAX_FRAME_BYTES) -> None:
        self._max_bytes = max_bytes
        self._half = bytearray()
        self._dropping = False

    def feed(self, chunk: bytes) -> list[Line]:
        found: list[Line] = []
        *whole, rest = chunk.split(b"\n")
        for part in whole:
            self._keep(part, found)
            if not self._dropping:
                found.append(_line(bytes(self._half), b"\n"))
            self._half.clear()
            self._dropping = False
        self._keep(rest, found)
        return found

    def rest(self) -> list[Line]:
        """The last line of a stream that has ended, if it has no newline."""
        left = bytes(self._half)
        self._half.clear()
        return [_line(left, b"")] if left else []

    def _keep(self, part: bytes, found: list[Line]) -> None:
        if self._dropping:
            return
        self._half += part
        if len(self._half) > self._max_bytes + 1:  # a carriage return may be of the end
            found.append(Line(bytes(self._half), b"\n", True))
            self._half.clear()
            self._dropping = True


def _line(line: bytes, end: bytes) -> Line:
    return Line(line[:-1], b"\r" + end) if line.endswith(b"\r") else Line(line, end)
