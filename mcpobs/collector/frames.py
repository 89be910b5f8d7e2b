"""Follows the frames of an HTTP/2 connection in one direction. Alters nothing and keeps no payload but short trailers.

Frames: RFC 9113, section 4.1. A connection's bytes may be cut anywhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, GOAWAY, CONTINUATION = 0, 1, 3, 7, 9
END_STREAM: Final = 1
_HEAD_BYTES = 9
_KEPT_BYTES = 512
_KEPT: Final = frozenset((HEADERS, RST_STREAM, GOAWAY))


class Frame(NamedTuple):
    """A complete frame; its payload is kept for a few kinds only, and not beyond 512 bytes."""

    kind: int
    flags: int
    stream: int
    size: int
    payload: bytes


class Frames:
    """The frames of one direction. With `kept` the payloads of headers, resets and goodbyes are returned."""

    def __init__(self, kept: bool) -> None:
        self._kept = kept
        self._head = b""
        self._left = 0
        self._frame = Frame(0, 0, 0, 0, b"")

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Yields the frames that end in these bytes."""
        at, size = 0, len(data)
        while at < size:
            if self._left:
                taken = min(self._left, size - at)
                if self._kept and self._frame.kind in _KEPT and len(self._frame.payload) < _KEPT_BYTES:
                    more = data[at : at + min(taken, _KEPT_BYTES)]
                    self._frame = self._frame._replace(payload=(self._frame.payload + more)[:_KEPT_BYTES])
                self._left -= taken
                at += taken
            else:
                wanted = _HEAD_BYTES - len(self._head)
                self._head += data[at : at + wanted]
                at += wanted
                if len(self._head) < _HEAD_BYTES:
                    return
                head, self._head = self._head, b""
                self._left = int.from_bytes(head[:3])
                self._frame = Frame(head[3], head[4], int.from_bytes(head[5:]) & 0x7FFF_FFFF, self._left, b"")
            if not self._left:
                yield self._frame
