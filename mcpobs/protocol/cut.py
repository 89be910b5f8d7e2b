"""The two ends of a message that is too long to be kept, with its size. Bounded, and the same however bytes are cut."""

from __future__ import annotations

from typing import NamedTuple

HEAD_BYTES, TAIL_BYTES = 65_536, 4_096


class Cut(NamedTuple):
    """A message of `size` bytes, of which the first and the last bytes are kept."""

    head: bytes
    tail: bytes
    size: int


class Ends:
    """Takes a message part by part and keeps its two ends."""

    def __init__(self) -> None:
        self._head = bytearray()
        self._tail = b""
        self.size = 0

    def add(self, part: bytes) -> None:
        room = HEAD_BYTES - len(self._head)
        if room > 0:
            self._head += part[:room]
        self.size += len(part)
        self._tail = part[-TAIL_BYTES:] if len(part) >= TAIL_BYTES else (self._tail + part)[-TAIL_BYTES:]

    def cut(self) -> Cut:
        """The message without the white space at its end. The ends of a short message do not overlap."""
        tail = self._tail[max(0, len(self._head) + len(self._tail) - self.size) :]
        kept = tail.rstrip(b" \t\r\n")
        return Cut(bytes(self._head), kept, self.size - len(tail) + len(kept))
