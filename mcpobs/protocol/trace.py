"""W3C trace context: `traceparent` read strictly and written. Knows no frame."""

from __future__ import annotations

import re

from mcpobs.protocol.operation import TraceContext

_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-[^\0]*)?")
_NO_TRACE = "0" * 32
_NO_SPAN = "0" * 16
_MAX_LENGTH = 512  # what a later version may append is not ours to read


def parse_traceparent(text: object) -> TraceContext | None:
    """The context that a `traceparent` names; None for anything that is none (W3C Trace Context 1, 3.2.2).

    A version after 00 is read as far as version 00 goes, as the specification asks.
    """
    if not isinstance(text, str) or not 55 <= len(text) <= _MAX_LENGTH:
        return None
    match = _TRACEPARENT.fullmatch(text)
    if match is None:
        return None
    version, trace_id, span_id, flags, rest = match.groups()
    if version == "ff" or (version == "00" and rest is not None) or trace_id == _NO_TRACE or span_id == _NO_SPAN:
        return None
    return TraceContext(trace_id, span_id, int(flags, 16))


def format_traceparent(context: TraceContext) -> str:
    """The context as a `traceparent` of version 00."""
    return f"00-{context.trace_id}-{context.span_id}-{context.flags & 0xFF:02x}"
