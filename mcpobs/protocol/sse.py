"""Splits a stream of server-sent events. Sans I/O; never holds more than it may.

By the HTML standard, 9.2 (https://html.spec.whatwg.org/multipage/server-sent-events.html): a line ends in \\r\\n, \\n
or \\r, an event in a blank line, several `data` fields are joined by newlines, and an event that the stream's end
cuts off is none.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

MAX_EVENT_BYTES = 64 << 20
MAX_ENDPOINT_BYTES = 16 << 10  # of an event that names an endpoint
_LINE_END = re.compile(rb"\r\n|\n|\r")
_LINE = re.compile(rb"[^\r\n]*+(?>\r\n|\n|\r)")
_BLANK_LINE = re.compile(rb"(?>\r\n|\n|\r)(?>\r\n|\n|\r)")
_BLANK_LINE_END = re.compile(rb"(?>\r\n|\n|\r)\Z")
_COMMENTS = re.compile(rb"(?::[^\r\n]*+(?>\r\n|\n|\r))++")
_LONGEST_BLANK = 3  # bytes of a blank line that may come before its last one


class Event(NamedTuple):
    """An event with data; `name` is "message" where the stream names none."""

    name: str
    data: bytes
    id: str | None


class Events:
    """Gives whole events and keeps a half one for later. One object a stream.

    An event whose data is over `max_bytes` is dropped as it comes, and counted in `oversized`.
    """

    def __init__(self, max_bytes: int = MAX_EVENT_BYTES) -> None:
        self._max_bytes = max_bytes
        self._half = bytearray()  # of a line
        self._first = True
        self._after_cr = False  # a \n that follows belongs to it
        self._dropping = False
        self._data: list[bytes] = []
        self._data_bytes = 0
        self._name = ""
        self._id: str | None = None
        self.oversized = 0

    def feed(self, chunk: bytes) -> list[Event]:
        """The events that the chunk completes."""
        if self._after_cr and chunk:
            chunk = chunk.removeprefix(b"\n")
            self._after_cr = False
        if not chunk:
            return []
        if self._first:
            self._first = False
            chunk = chunk.removeprefix(b"\xef\xbb\xbf")
        self._after_cr = chunk.endswith(b"\r")
        *lines, rest = _LINE_END.split(chunk)
        found: list[Event] = []
        for line in lines:
            if self._half:
                line = bytes(self._half) + line
                self._half.clear()
            self._line(line, found)
        self._keep(rest)
        return found

    @property
    def held_bytes(self) -> int:
        """Bytes of the event that is not complete yet."""
        return self._data_bytes + len(self._half)

    def resync(self, between_events: bool = False) -> None:
        """Forgets the event that is not complete yet, because bytes were left out. The next one to be given begins
        after a blank line, or at once if the next bytes come from between two events."""
        self._dropping = not between_events
        self._data, self._data_bytes, self._name = [], 0, ""
        self._half = bytearray() if between_events else bytearray(b":")
        self._after_cr = False

    def _keep(self, rest: bytes) -> None:
        if self._data_bytes + len(self._half) + len(rest) > self._max_bytes:
            self._drop()
            self._half = bytearray(b":")  # what is left of the line says nothing
        elif not (self._dropping and self._half):
            self._half += rest

    def _drop(self) -> None:
        self.oversized += not self._dropping
        self._dropping = True
        self._data, self._data_bytes = [], 0

    def _line(self, line: bytes, found: list[Event]) -> None:
        if not line:
            if self._data and not self._dropping:
                found.append(Event(self._name or "message", b"\n".join(self._data), self._id))
            self._data, self._data_bytes, self._name, self._dropping = [], 0, "", False
            return
        field, colon, value = line.partition(b":")
        value = value.removeprefix(b" ") if colon else b""
        if field == b"data":
            self._data_bytes += len(value)
            if self._data_bytes > self._max_bytes:
                self._drop()
            else:
                self._data.append(value)
        elif field == b"event":
            self._name = value.decode("utf-8", "replace")
        elif field == b"id" and b"\0" not in value:
            self._id = value.decode("utf-8", "replace")


class Endpoints:
    """Rewrites the URL in `endpoint` events (HTTP+SSE); every other byte passes as it came. One object a stream.

    The bytes of an event are held back until it is complete, at most `max_bytes` of them: its name may follow its
    data. Comments are never held back."""

    def __init__(self, rewrite: Callable[[str], str], max_bytes: int = MAX_ENDPOINT_BYTES) -> None:
        self._rewrite = rewrite
        self._max_bytes = max_bytes
        self._held = b""
        self._passing = False  # in the middle of an event that is too long to be held back
        self._first = True

    def feed(self, chunk: bytes) -> bytes:
        """The bytes that may be passed on now."""
        data = self._held + chunk if self._held else chunk
        end = _last_blank_line(data)
        out = self._events(data[:end]) if end else b""
        rest = data[end:]
        if not self._passing and (comments := _COMMENTS.match(rest)) is not None:
            out += comments[0]
            rest = rest[comments.end() :]
        if len(rest) > self._max_bytes or (self._passing and len(rest) > _LONGEST_BLANK):
            self._passing = True
            out += rest[:-_LONGEST_BLANK]  # the end of the event may already lie in the last bytes
            rest = rest[-_LONGEST_BLANK:]
        self._held = rest
        return out

    def rest(self) -> bytes:
        """What is held back at the end of the stream: no event."""
        held, self._held = self._held, b""
        return held

    def _events(self, data: bytes) -> bytes:
        """Whole events, of which the first may be the end of one that is passed on as it is."""
        if b"endpoint" not in data:
            self._passing = self._first = False
            return data
        parts = []
        at = 0
        for blank in _BLANK_LINE.finditer(data):
            event = data[at : blank.end()]
            parts.append(event if self._passing or b"endpoint" not in event else self._event(event))
            self._passing = self._first = False
            at = blank.end()
        parts.append(data[at:])
        return b"".join(parts)

    def _event(self, event: bytes) -> bytes:
        lines = _LINE.findall(event)
        name = b""
        values: dict[int, bytes] = {}
        for number, line in enumerate(lines):
            text = line.rstrip(b"\r\n")
            if self._first and number == 0:
                text = text.removeprefix(b"\xef\xbb\xbf")
            field, colon, value = text.partition(b":")
            value = value.removeprefix(b" ") if colon else b""
            if field == b"event":
                name = value
            elif field == b"data":
                values[number] = value
        if name != b"endpoint" or not values:
            return event
        theirs = b"\n".join(values.values()).decode("utf-8", "surrogateescape")
        ours = self._rewrite(theirs)
        if ours == theirs:
            return event
        end = _BLANK_LINE_END.search(event)[0]  # type: ignore[index]  # an event ends in a blank line
        written = ours.encode("utf-8", "surrogateescape").split(b"\n")
        data = b"".join(b"data: " + line + end for line in written)
        first = min(values)
        kept = [
            data if number == first else line.rstrip(b"\r\n") + end
            for number, line in enumerate(lines)
            if number == first or number not in values
        ]
        return b"".join(kept)


def _last_blank_line(data: bytes) -> int:
    """Where the last blank line ends; 0 if there is none."""
    at = max(data.rfind(b"\n\n"), data.rfind(b"\r\r"), data.rfind(b"\n\r"))
    if at < 0:
        return 0
    end = at + 2
    return end + 1 if data[end - 1 : end + 1] == b"\r\n" else end
