"""Puts our trace context into a request by splicing bytes: every other byte of the frame stays as it was.

So integers of any size, doubled keys, spacing, key order and escapes reach the server as the client wrote them.
"""

from __future__ import annotations

from mcpobs.protocol.decode import decode, is_too_large
from mcpobs.protocol.envelope import members, skip_space
from mcpobs.protocol.ids import id_key
from mcpobs.protocol.trace import parse_traceparent

_PARAMS, _META, _TRACEPARENT = "params", "_meta", "traceparent"


def with_trace_context(frame: bytes, traceparent: str) -> bytes:
    """The request with `params._meta.traceparent` set; `tracestate` and `baggage` stay as they are.

    The frame as it was where that place is not sure: no request object, a batch, params or _meta that are no
    objects, one of the three names given twice, a frame that is damaged or too large. A notification is left alone.
    """
    if is_too_large(frame) or parse_traceparent(traceparent) is None or not _is_request(frame):
        return frame
    value = b'"%b"' % traceparent.encode()
    at = skip_space(frame, 0)
    for name, missing in (
        (_PARAMS, b'"params":{"_meta":{"traceparent":%b}}'),
        (_META, b'"_meta":{"traceparent":%b}'),
        (_TRACEPARENT, b'"traceparent":%b'),
    ):
        found = members(frame, at)
        if found is None:
            return frame
        named = [member for member in found.items if member.name == name]
        if len(named) > 1:
            return frame
        if not named:
            return _first_member(frame, at, missing % value, bool(found.items))
        place = named[0]
        at = place.start
        if name == _TRACEPARENT:
            return frame[:at] + value + frame[place.end :]
        if frame[at : at + 1] != b"{":
            return frame
    return frame


def _is_request(frame: bytes) -> bool:
    message = decode(frame)
    return (
        isinstance(message, dict) and isinstance(message.get("method"), str) and id_key(message.get("id")) is not None
    )


def _first_member(frame: bytes, at: int, member: bytes, others: bool) -> bytes:
    """The frame with a member put first into the object that begins at `at`."""
    return frame[: at + 1] + member + (b"," if others else b"") + frame[at + 1 :]
