"""Splits a byte stream into the frames of newline-delimited JSON. Never decodes, never holds more than it may."""

from __future__ import annotations

from typing import NamedTuple

from mcpobs.protocol.cut import Cut, Ends

MAX_FRAME_BYTES = 64 << 20


MARK = b"\xef\xbb\xbf"


class Lines:
    """Gives whole lines and keeps a half one for later. One object a direction.

    Of a line over `max_bytes` (without its newline) only the two ends are kept, and it is counted in `oversized`.
    `skips_marks` leaves out lines that begin with a byte order mark: no client on stdio reads those.
    """

    def __init__(self, max_bytes: int = MAX_FRAME_BYTES, skips_marks: bool = False) -> None:
        self._max_bytes = max_bytes
        self._skips_marks = skips_marks
        self._half = bytearray()  # grows in place: 10 MB in small chunks stays linear, and small in memory
        self._ends: Ends | None = None  # of a line that is too long
        self.oversized = 0

    def feed(self, chunk: bytes) -> list[bytes | Cut]:
        """The lines that the chunk completes, without \\n or \\r\\n; blank lines are left out."""
        end = len(chunk) - 1
        if 0 < end <= self._max_bytes and chunk.find(b"\n") == end and not (self._half or self._ends):
            line = chunk[:-1].removesuffix(b"\r")  # a chunk is one whole line, nearly always
            return [line] if self._is_read(line) else []
        head, newline, tail = chunk.partition(b"\n")
        if not newline:
            self._keep(head)
            return []
        lines = [self._complete(head)]
        if tail:
            *whole, rest = tail.split(b"\n")
            lines += [self._complete(line) for line in whole]
            self._keep(rest)
        return [line for line in lines if isinstance(line, Cut) or self._is_read(line)]

    def _is_read(self, line: bytes) -> bool:
        return bool(line) and not line.isspace() and not (self._skips_marks and line.startswith(MARK))

    def _keep(self, part: bytes) -> None:
        if self._ends is not None:
            self._ends.add(part)
        elif len(self._half) + len(part) > self._max_bytes:
            self.oversized += 1
            self._ends = Ends()
            self._ends.add(bytes(self._half))
            self._ends.add(part)
            self._half = bytearray()
        else:
            self._half += part

    def _complete(self, head: bytes) -> bytes | Cut:
        if not self._half and self._ends is None and len(head) <= self._max_bytes:
            return head.removesuffix(b"\r")
        self._keep(head)
        ends, self._ends = self._ends, None
        if ends is not None:
            return ends.cut()
        line = bytes(self._half)
        self._half = bytearray()
        return line.removesuffix(b"\r")


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
            if not self._half and not self._dropping and len(part) <= self._max_bytes:
                found.append(self._line(part, b"\n"))
                continue
            self._keep(part, found)
            if not self._dropping:
                found.append(self._line(bytes(self._half), b"\n"))
            self._half.clear()
            self._dropping = False
        if rest:
            self._keep(rest, found)
        return found

    def rest(self) -> list[Line]:
        """The last line of a stream that has ended, if it has no newline."""
        left = bytes(self._half)
        self._half.clear()
        return [self._line(left, b"")] if left else []

    def _keep(self, part: bytes, found: list[Line]) -> None:
        if self._dropping:
            return
        self._half += part
        if len(self._half) > self._max_bytes + 1:  # a carriage return may be of the end
            found.append(Line(bytes(self._half), b"\n", True))
            self._half.clear()
            self._dropping = True

    def _line(self, line: bytes, end: bytes) -> Line:
        if line.endswith(b"\r"):
            return Line(line[:-1], b"\r" + end)
        return Line(line, end) if len(line) <= self._max_bytes else Line(line, b"\n", True)
