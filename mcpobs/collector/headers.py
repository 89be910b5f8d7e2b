"""Reads the headers of an OTLP/HTTP request: its encoding, its packing, its length. Reads no body."""

from __future__ import annotations

import contextlib
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web

from mcpobs.collector import answers
from mcpobs.collector.inflate import Packing, TooLargeError
from mcpobs.collector.intake import Encoding
from mcpobs.collector.refusal import RefusalError
from mcpobs.collector.reply import Header

Headers = dict[bytes, bytes]
"""Values by lower-case name; the first of several values."""

_ENCODINGS: Final[dict[bytes, Encoding]] = {
    b"application/x-protobuf": "protobuf",
    b"application/protobuf": "protobuf",
    b"application/json": "json",
}
_PACKINGS: Final[dict[bytes, Packing | None]] = {
    b"": None,
    b"identity": None,
    b"none": None,
    b"gzip": "gzip",
    b"x-gzip": "gzip",
    b"deflate": "deflate",
}


def headers_of(request: web.BaseRequest) -> list[Header]:
    """Returns all headers, with names in lower case. The host of an absolute request target replaces the Host header
    (RFC 9112, 3.2.2)."""
    headers = [(name.lower(), value.strip(b" \t")) for name, value in request.raw_headers]
    target = request.raw_path
    if target.startswith("/") or target == "*":
        return headers
    authority = ""
    with contextlib.suppress(ValueError):
        authority = urlsplit(target).netloc
    host = authority.rpartition("@")[2].encode(errors="surrogateescape")
    return [*(header for header in headers if header[0] != b"host"), (b"host", host)]


def encoding_to_refuse(headers: Headers) -> Encoding:
    """Returns the encoding for a refusal."""
    return _ENCODINGS.get(_media_type(headers), "json")


def encoding_of(headers: Headers) -> Encoding:
    """Returns the encoding of the body. Raises RefusalError."""
    encoding = _ENCODINGS.get(_media_type(headers))
    if encoding is None:
        raise RefusalError(
            "wrong_type",
            415,
            answers.INVALID_ARGUMENT,
            "content-type is neither application/x-protobuf nor application/json",
        )
    return encoding


def packing_of(headers: Headers) -> Packing | None:
    """Returns the compression of the body. Raises RefusalError."""
    coding = headers.get(b"content-encoding", b"").strip().lower()
    if coding not in _PACKINGS:
        raise RefusalError(
            "wrong_coding",
            415,
            answers.INVALID_ARGUMENT,
            "content-encoding is not gzip, deflate or identity",
            (b"accept-encoding", b"gzip, deflate"),
        )
    return _PACKINGS[coding]


def announced_bytes(headers: Headers, limit_bytes: int) -> int:
    """Returns the length that a request announces; 0 if it is chunked. Raises RefusalError and TooLargeError."""
    coding = headers.get(b"transfer-encoding")
    if coding is not None:
        if coding.strip().lower() != b"chunked":
            raise RefusalError("wrong_coding", 501, answers.UNIMPLEMENTED, "transfer-encoding is not chunked")
        return 0
    length = headers.get(b"content-length")
    if length is None:
        raise RefusalError(
            "no_length", 411, answers.INVALID_ARGUMENT, "neither content-length nor chunked transfer-encoding"
        )
    if int(length) > limit_bytes:  # the parser has checked that it is a number
        raise TooLargeError(f"the body is longer than {limit_bytes} bytes")
    return int(length)


def _media_type(headers: Headers) -> bytes:
    return headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
