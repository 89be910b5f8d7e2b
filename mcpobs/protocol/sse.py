"""Cuts a stream of server-sent events into its events. Does no I/O and never holds more than it may.

By the HTML standard, 9.2 (https://html.spec.whatwg.org/multipage/server-sent-events.html): a line ends in \\r\\n, \\n
or \\r, an event in a blank line, several `data` fields are joined by newlines, and an event that the stream's end
cuts off is none.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from mcpobs.protocol.cut import Cut

MAX_EVENT_BYTES = 64 << 20
MARK = b"\xef\xbb\xbf"
_DATA = b"data: "
_LINE_END = re.compile(rb"\r\n|\n|\r")
_LINE = re.compile(rb"[^\r\n]*+(?>\r\n|\n|\r)")
_SAYS_NOTHING = re.compile(rb"(?:[\r\n]|:[^\r\n]*+(?>\r\n|\n|\r))++")  # comments, and blank lines between events
_PAIRS = (b"\n\n", b"\r\r", b"\n\r")  # one of them is in every blank line, with the end of the line before
_CR = ord("\r")
_LONG_BYTES = 1 << 10

Excess = Literal["", "begins", "goes on"]


class Event(NamedTuple):
    """An event with data; `name` is "message" if the stream names none, `id` the last id that the stream gave."""

    name: str
    data: bytes
    id: str | None
    cut: Cut | None = None  # the data of an event that is too large; `data` is then its beginning


class Piece(NamedTuple):
    """Bytes of a stream as they came, with the event that they are.

    `event` is None for bytes that are none: comments, an event without data, parts of one that is too large (`excess`
    says whether it begins with them), the beginning of one that the end of the stream cuts off (`cut_off`)."""

    raw: bytes
    event: Event | None = None
    excess: Excess = ""
    cut_off: bool = False


class EventSplitter:
    """Cuts a stream into pieces, which joined are the stream. One object a stream.

    The events do not depend on how the bytes were cut. An event is held until it is complete; comments before it are
    not. An event of more than `max_bytes` is given out in parts as it comes, and counted in `oversized`.
    """

    def __init__(self, max_bytes: int = MAX_EVENT_BYTES) -> None:
        self._max_bytes = max_bytes
        self._parts: list[bytes] = []  # of the event that is not complete yet, without `_edge`
        self._parts_bytes = 0
        self._edge = b""  # the line end that it ends with for now
        self._excess = False
        self._dropping = False
        self._first = True
        self._in_comment = False  # of which the beginning was given out
        self._id: str | None = None
        self.oversized = 0

    def feed(self, chunk: bytes) -> list[Piece]:
        """The pieces that the chunk completes."""
        data = self._edge + chunk if self._edge else chunk
        self._edge = b""
        if self._first and 0 < self._parts_bytes <= len(MARK) and MARK.startswith(begun := b"".join(self._parts)):
            data = begun + data
            self._parts, self._parts_bytes = [], 0
        found: list[Piece] = []
        at = self._rest_of_comment(data, found) if self._in_comment else 0
        for end in _event_ends(data):
            start = self._comments(data, at, end, found)
            if start < end:
                found.append(self._whole(data[start:end]))
            at = end
        self._keep(data[at:] if at else data, found)
        return found

    def rest(self) -> bytes:
        """The bytes that are held at the end of the stream; they are no event."""
        rest = b"".join((*self._parts, self._edge))
        self._forget()
        return rest

    @property
    def held_bytes(self) -> int:
        """Bytes of the event that is not complete yet."""
        return self._parts_bytes + len(self._edge)

    @property
    def in_excess(self) -> bool:
        """Whether an event that is too large goes on."""
        return self._excess

    def give_up(self) -> list[Piece]:
        """Gives out what is held of an event as the beginning of one that is too large."""
        found: list[Piece] = []
        self._give_out(found)
        return found

    def resync(self, between_events: bool = False) -> None:
        """Forgets the event that is not complete yet, because bytes were left out. The next event begins after a blank
        line, or at once if the next bytes come from between two events."""
        self._forget()
        self._dropping = not between_events
        self._excess = False

    def _comments(self, data: bytes, at: int, end: int, found: list[Piece]) -> int:
        """Gives out the comments that an event begins with, and returns where they end."""
        if self._parts or self._excess or self._dropping:
            return at
        marked = len(MARK) if self._first and data.startswith(MARK, at) else 0
        comments = _SAYS_NOTHING.match(data, at + marked, end)
        if comments is None:
            return at
        found.append(Piece(data[at : comments.end()]))
        self._first = False
        return comments.end()

    def _rest_of_comment(self, data: bytes, found: list[Piece]) -> int:
        """Gives out a comment as it comes, and returns where it ends. A line feed after its carriage return may follow
        in the next chunk: it ends no event, for none has begun."""
        line_end = _LINE_END.search(data)
        end = len(data) if line_end is None else line_end.end()
        self._in_comment = line_end is None
        if end:
            found.append(Piece(data[:end]))
        return end

    def _forget(self) -> None:
        self._parts, self._parts_bytes, self._edge = [], 0, b""
        self._in_comment = False

    def _whole(self, end: bytes) -> Piece:
        """The piece that ends with these bytes."""
        raw = b"".join((*self._parts, end)) if self._parts else end
        first, excess, dropping = self._first, self._excess, self._dropping
        self._forget()
        self._first = self._excess = self._dropping = False
        if dropping or excess:
            return Piece(raw, None, "goes on" if excess else "")
        if len(raw) > self._max_bytes and len(raw.rstrip(b"\r\n")) > self._max_bytes:
            self.oversized += 1
            return Piece(raw, None, "begins")
        return Piece(raw, self._read(raw, first))

    def _keep(self, rest: bytes, found: list[Piece]) -> None:
        """Holds the beginning of an event, as far as it may be held."""
        if not rest:
            return
        rest = rest[self._comments(rest, 0, len(rest), found) :]
        if rest and self._begins_comment(rest):
            self._first, self._in_comment = False, True
            found.append(Piece(rest))
            return
        line_end = _edge_bytes(rest)
        if line_end:
            self._edge = rest[-line_end:]
            rest = rest[:-line_end]
        if rest:
            self._parts.append(rest)
            self._parts_bytes += len(rest)
        if self._excess or self._parts_bytes > self._max_bytes:
            self._give_out(found)

    def _begins_comment(self, rest: bytes) -> bool:
        between = not (self._parts or self._edge or self._excess or self._dropping)
        begins = (rest.removeprefix(MARK) if self._first else rest).startswith(b":")
        return between and begins and _LINE_END.search(rest) is None

    def _give_out(self, found: list[Piece]) -> None:
        if not self._parts:
            return
        found.append(Piece(b"".join(self._parts), None, "goes on" if self._excess else "begins"))
        self.oversized += not self._excess
        self._excess = True
        self._parts, self._parts_bytes = [], 0

    def _read(self, raw: bytes, first: bool) -> Event | None:
        name = b""
        values: list[bytes] = []
        lines = _lines(raw)
        if first:
            lines[0] = lines[0].removeprefix(MARK)
        for line in lines:
            if line.startswith(_DATA):  # most bytes of a stream, which are not copied more than once
                values.append(line[len(_DATA) :])
                continue
            field, colon, value = line.partition(b":")
            if colon and value[:1] == b" ":
                value = value[1:]
            if field == b"data":
                values.append(value)
            elif field == b"event":
                name = value
            elif field == b"id" and b"\0" not in value:
                self._id = value.decode("utf-8", "replace")
        if not values:
            return None
        data = values[0] if len(values) == 1 else b"\n".join(values)
        return Event(name.decode("utf-8", "replace") or "message", data, self._id)


def event_of(ends: Cut) -> Event | None:
    """An event of which only the two ends are kept. The line at which the first ends has to be of its data."""
    lines = [_field(line) for line in _LINE_END.split(ends.head.removeprefix(MARK))]
    rest, *after = _LINE_END.split(ends.tail)
    if lines[-1][0] != b"data":
        return None
    begun = b"\n".join(value for name, value in lines if name == b"data")
    behind = [_field(line) for line in after]
    ended = b"\n".join((rest, *(value for name, value in behind if name == b"data")))
    fields = dict(lines + behind)
    event_id = fields.get(b"id")
    return Event(
        fields.get(b"event", b"message").decode("utf-8", "replace"),
        begun,
        None if event_id is None else event_id.decode("utf-8", "replace"),
        Cut(begun, ended, ends.size - len(ends.head) - len(ends.tail) + len(begun) + len(ended)),
    )


def _field(line: bytes) -> tuple[bytes, bytes]:
    name, _, value = line.partition(b":")
    return name, value.removeprefix(b" ")


def with_data(raw: bytes, data: bytes) -> bytes:
    """The bytes of an event with other data, in the place of its first `data` line; all other lines stay."""
    written = False
    kept: list[bytes] = []
    for line in _LINE.findall(raw):
        text = line.rstrip(b"\r\n")
        if text.removeprefix(MARK).partition(b":")[0] != b"data":
            kept.append(line)
        elif not written:
            written = True
            end = line[len(text) :]
            kept += [MARK if text.startswith(MARK) else b""]
            kept += [b"data: " + part + end for part in _LINE_END.split(data)]
    if kept[-1] == b"\n" and kept[-2:-1] and kept[-2].endswith(b"\r"):  # a line between them was left out
        kept[-2] = kept[-2][:-1] + b"\n"
    return b"".join(kept)


def _lines(raw: bytes) -> list[bytes]:
    """The lines of an event. `split` looks at each byte, `find` skips those of a long line 20 times as fast."""
    if b"\r" in raw:
        return _LINE_END.split(raw)
    if len(raw) < _LONG_BYTES:
        return raw.split(b"\n")
    lines: list[bytes] = []
    at = 0
    while (end := raw.find(b"\n", at)) >= 0:
        lines.append(raw[at:end])
        at = end + 1
    return lines


def _event_ends(data: bytes) -> list[int]:
    """Where events end: behind each blank line. Looks at each byte at most once for each kind of pair, and from the
    first line end on only: a search for one byte is twenty times as fast as one for two."""
    ends: list[int] = []
    first_lf, first_cr = data.find(b"\n"), data.find(b"\r")
    if first_lf < 0 and first_cr < 0:
        return ends
    pairs: tuple[bytes, ...]
    if first_cr < 0:
        pairs, at = _PAIRS[:1], first_lf
    else:
        pairs, at = _PAIRS, first_cr if first_lf < 0 else min(first_lf, first_cr)
    nexts = [data.find(pair, at) for pair in pairs]
    while True:
        for number, place in enumerate(nexts):
            if 0 <= place < at:
                nexts[number] = data.find(pairs[number], at)
        places = [place for place in nexts if place >= 0]
        if not places:
            return ends
        at = min(places) + 2
        if data[at - 1] == _CR and data[at : at + 1] == b"\n":
            at += 1
        ends.append(at)


def _edge_bytes(data: bytes) -> int:
    """Length of the line end that the data ends with, which may be half of a blank line or of \\r\\n."""
    if data[-2:] == b"\r\n":
        return 2
    return 1 if data[-1:] in (b"\r", b"\n") else 0
