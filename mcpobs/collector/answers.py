"""Encodes OTLP responses: Export…ServiceResponse and google.rpc.Status, as protobuf or JSON. Sends nothing.

These messages have few fields, all numbers and strings, so they need no generated classes.
"""

from __future__ import annotations

import json
from typing import Final

from mcpobs.collector.intake import Accepted, Encoding, Signal

CONTENT_TYPE: Final[dict[Encoding, bytes]] = {"protobuf": b"application/x-protobuf", "json": b"application/json"}

INVALID_ARGUMENT, DEADLINE_EXCEEDED, NOT_FOUND, PERMISSION_DENIED, RESOURCE_EXHAUSTED = 3, 4, 5, 7, 8
UNIMPLEMENTED, INTERNAL, UNAVAILABLE, UNAUTHENTICATED = 12, 13, 14, 16
"""google.rpc.Code"""

_RETRY_INFO = "type.googleapis.com/google.rpc.RetryInfo"
_REJECTED: Final[dict[Signal, str]] = {
    "traces": "rejectedSpans",
    "metrics": "rejectedDataPoints",
    "logs": "rejectedLogRecords",
}


def accepted(signal: Signal, encoding: Encoding, taken: Accepted) -> bytes:
    """Returns the response to a request that was stored, in whole or in part."""
    if not taken.rejected and not taken.message:
        return b"" if encoding == "protobuf" else b"{}"
    if encoding == "protobuf":  # the three signals' responses differ only in names
        return _bytes(1, _number(1, taken.rejected) + _bytes(2, taken.message.encode()))
    partial: dict[str, str] = {"errorMessage": taken.message}
    if taken.rejected:
        partial[_REJECTED[signal]] = str(taken.rejected)  # an int64 is a string in proto3's JSON
    return json.dumps({"partialSuccess": partial}).encode()


def refused(code: int, message: str, encoding: Encoding, retry_after_s: float | None = None) -> bytes:
    """Returns a google.rpc.Status, with a RetryInfo if the same request may be retried."""
    if encoding == "protobuf":
        status = _number(1, code) + _bytes(2, message.encode())
        if retry_after_s is not None:
            status += _bytes(3, _bytes(1, _RETRY_INFO.encode()) + _bytes(2, retry_info(retry_after_s)))
        return status
    members: dict[str, object] = {"code": code, "message": message}
    if retry_after_s is not None:
        members["details"] = [{"@type": _RETRY_INFO, "retryDelay": f"{retry_after_s:.3f}s"}]
    return json.dumps(members).encode()


def retry_info(retry_after_s: float) -> bytes:
    """Returns a google.rpc.RetryInfo, to the millisecond."""
    seconds, milliseconds = divmod(round(retry_after_s * 1000), 1000)
    return _bytes(1, _number(1, seconds) + _number(2, milliseconds * 1_000_000))


def _number(field: int, number: int) -> bytes:
    return bytes([field << 3]) + _varint(number) if number else b""


def _bytes(field: int, content: bytes) -> bytes:
    return bytes([field << 3 | 2]) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
