"""What both decoders say about a request: how much it holds, or why it is none. Reads no bytes."""

from __future__ import annotations

from typing import NamedTuple

Body = bytes | memoryview
"""A request. A memoryview can be written to and is contiguous; nothing writes to it."""


class MalformedError(ValueError):
    """No OTLP trace request: the same bytes will never be one."""


class TooManyValuesError(MalformedError):
    """JSON of so many values that parsing it would take many times its size."""


class Checked(NamedTuple):
    """What a well-formed request holds: spans that will be rows, and spans that will not. `rejected` have no valid
    ids or start; `oversized` exceed columns.MAX_EXPANDED_BYTES. `expanded` is how many bytes the rows repeat."""

    spans: int
    rejected: int
    oversized: int = 0
    expanded: int = 0


_WHY = {
    1: "no valid protobuf message",
    2: "messages nested too deep",
    3: "too large",
}


def why(code: int, byte: int | None) -> str:
    return _WHY[code] + (f", at byte {byte}" if byte is not None else "")
