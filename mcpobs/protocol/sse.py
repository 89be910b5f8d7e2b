"""Splits a stream of server-sent events. Sans I/O; never holds more than it may.

By the HTML standard, 9.2 (https://html.spec.whatwg.org/multipage/server-sent-events.html): a line ends in \\r\\n, \\n
or \\r, an event in a blank line, several `data` fields are joined by newlines, and an event that the stream's end
cuts off is none.
"""

from __future__ import annotations

import re
from typing import NamedTuple

MAX_EVENT_BYTES = 64 << 20
_LINE_END = re.compile(rb"\r\n|\n|\r")


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
