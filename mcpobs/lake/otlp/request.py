"""Defines the result of checking a request in both decoders: its counts, or why it is malformed. Reads no bytes."""

from __future__ import annotations

from typing import NamedTuple

Body = bytes | memoryview
"""A request. A memoryview is writable and contiguous; nothing writes to it."""


class MalformedError(ValueError):
    """Not an OTLP trace request; a retry of the same bytes fails too."""


class TooManyValuesError(MalformedError):
    """JSON with so many values that parsing it would take many times its size of memory."""


class Checked(NamedTuple):
    """Counts of a well-formed request: spans that become rows, and spans that do not. `rejected` have no valid ids or
    start; `oversized` exceed columns.MAX_EXPANDED_BYTES. `expanded` is how many bytes the rows repeat."""

    spans: int
    rejected: int
    oversized: int = 0
    expanded: int = 0


_WHY = {
    1: "not a valid protobuf message",
    2: "messages nested too deep",
    3: "too large",
}


def why(code: int, byte: int | None) -> str:
    return _WHY[code] + (f", at byte {byte}" if byte is not None else "")
