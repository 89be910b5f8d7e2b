"""Reads along on a body: JSON as a whole, an event stream event by event. Keeps a bounded copy, alters nothing.

All work is done in slices, so that the front can serve others between two of them; what a stream may cost in all is
bounded too, however small its events are and however well they are compressed.
"""

from __future__ import annotations

from collections.abc import Iterator

from mcpobs.protocol.cut import Cut, Ends
from mcpobs.protocol.sse import Event, EventSplitter, Piece, event_of
from mcpobs.proxy.http.codings import MAX_PLAIN_BYTES, Plain, inflater, is_hidden

MAX_COPY_BYTES = MAX_PLAIN_BYTES
MAX_COPIES_BYTES = 256 << 20
SLICE_BYTES = 16 << 10  # 8 ms of the smallest events that there can be
FEW_LINES = 1_000  # in a chunk of any size: not worth a slice
MOST_WORK = 60_000
WORK_PER_S = 6_000
"""What is read of one event stream: a line costs 1, an operation more. Tiny events cost some 2 µs of CPU a line."""
OPERATION_WORK = 10
_BLANK_LINES = (b"\n\n", b"\r\r", b"\r\n\r\n")


class Copies:
    """The bytes that all bodies of a front keep copies of. A body for which there is no room passes unread."""

    def __init__(self, limit_bytes: int = MAX_COPIES_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self.held_bytes = 0

    def has_room(self, more_bytes: int) -> bool:
        return self.held_bytes + more_bytes <= self._limit_bytes


class Copy:
    """What one body holds of them."""

    def __init__(self, copies: Copies) -> None:
        self._copies = copies
        self._held_bytes = 0

    def hold(self, size: int) -> bool:
        """Holds so many bytes from now on, in place of those before. False, and none are held, if that is too much."""
        fits = size <= MAX_COPY_BYTES and self._copies.has_room(size - self._held_bytes)
        held = size if fits else 0
        self._copies.held_bytes += held - self._held_bytes
        self._held_bytes = held
        return fits


class JsonBody:
    """A body that is one message. `content` is only its two ends if there was more of it than a copy may be."""

    def __init__(self, coding: str | None = None, copies: Copies | None = None) -> None:
        self._inflater = inflater(coding)
        self._is_hidden = is_hidden(coding)  # kept as it came: some servers name a coding that they did not apply
        self._copy = Copy(copies or Copies())
        self._parts: list[bytes] = []
        self._bytes = 0
        self._ends: Ends | None = None
        self.unread_bytes = 0

    def feed(self, chunk: bytes) -> Iterator[None]:
        """Takes a part of the body, in slices."""
        if self._ends is not None or self._is_hidden:
            self.unread_bytes += len(chunk)
        for part in self._inflater.slices(chunk, MAX_COPY_BYTES >> 6):
            self._bytes += len(part)
            if self._ends is not None:
                self._ends.add(part)
            else:
                self._parts.append(part)
                if not self._copy.hold(self._bytes):
                    self._cut()
            yield

    def _cut(self) -> None:
        self._ends = Ends()
        for part in self._parts:
            self._ends.add(part)
        self._parts.clear()
        if not self._is_hidden:
            self.unread_bytes += self._bytes

    @property
    def content(self) -> bytes | Cut:
        if self._ends is not None:
            return self._ends.cut()
        if len(self._parts) > 1:
            self._parts = [b"".join(self._parts)]
        return self._parts[0] if self._parts else b""

    def close(self) -> None:
        self._copy.hold(0)


class EventBody:
    """A body that is a stream of events. Reads only so many of them; `unread_bytes` counts what it passed over."""

    def __init__(self, coding: str | None = None, copies: Copies | None = None) -> None:
        self._inflater = inflater(coding)
        self._is_hidden = is_hidden(coding)
        self._events = EventSplitter()
        self._copy = Copy(copies or Copies())
        self._left = float(MOST_WORK)
        self._at_ns: int | None = None
        self._ends: Ends | None = None  # of an event that is too large
        self._skipping = False
        self._skipped_end = b""  # the last bytes that were not read
        self.unread_bytes = 0

    def feed(self, chunk: bytes, mono_ns: int) -> Iterator[list[Event]]:
        """The events that a part of the body completes, slice by slice."""
        if self._is_hidden:
            self.unread_bytes += len(chunk)
            return
        if self._at_ns is not None:
            self._left = min(MOST_WORK, self._left + (mono_ns - self._at_ns) * WORK_PER_S / 1e9)
        self._at_ns = mono_ns
        is_plain = isinstance(self._inflater, Plain)
        lines = _lines(chunk) if is_plain else 0
        at_most = len(chunk) if is_plain and lines <= FEW_LINES else SLICE_BYTES
        for part in self._inflater.slices(chunk, at_most):
            if self._skipping and self._left < MOST_WORK / 2:
                self.unread_bytes += len(part)
                self._skipped_end = (self._skipped_end + part[-4:])[-4:]
                continue
            if self._skipping:
                self._skipping = False
                self._events.resync(self._skipped_end.endswith(_BLANK_LINES))
            self.spend(lines if part is chunk else _lines(part))
            pieces = self._events.feed(part)
            if not self._copy.hold(self._events.held_bytes):
                pieces += self._events.give_up()
            found = [self._event(piece, piece is pieces[-1]) for piece in pieces]
            yield [event for event in found if event is not None]

    def _event(self, piece: Piece, is_last: bool) -> Event | None:
        """The event of a piece. One that is too large comes in several, and only its two ends are read."""
        if not piece.excess:
            return piece.event
        self.unread_bytes += len(piece.raw)
        if self._ends is None or piece.excess == "begins":
            self._ends = Ends()
        self._ends.add(piece.raw)
        if is_last and self._events.in_excess:
            return None
        ends, self._ends = self._ends, None
        return event_of(ends.cut())

    def spend(self, work: int) -> None:
        """Counts work that the stream caused."""
        self._left -= work
        if self._left < 0 and not self._skipping:
            self._skipping = True
            self._skipped_end = b""

    def close(self) -> None:
        self._copy.hold(0)


def _lines(part: bytes) -> int:
    """Line ends in a part of a body. The first ones are found, which is ten times as fast as counting in long lines."""
    ends = 0
    for end in (b"\n", b"\r"):
        at = -1
        for _ in range(16):
            at = part.find(end, at + 1)
            if at < 0:
                break
            ends += 1
        else:
            ends += part.count(end, at + 1)
    return ends
