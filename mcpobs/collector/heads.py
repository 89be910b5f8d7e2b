"""Cuts request heads off the bytes of a connection for aiohttp to parse. Refuses obviously invalid heads itself."""

from __future__ import annotations

import re
from typing import Final

_END: Final = b"\r\n\r\n"
_METHOD: Final = re.compile(rb"[A-Z-]{1,20}(?: |\Z)")
_HOST: Final = re.compile(rb"\r\nhost[ \t]*:", re.IGNORECASE)
_OFFER: Final = re.compile(rb"\r\nupgrade[ \t]*:[^\r\n]*", re.IGNORECASE)
_VERSION: Final = b" HTTP/1.1\r\n"
NOT_HTTP: Final = "this is not a request in HTTP/1.1"


class HeadError(Exception):
    """An invalid beginning of a request. `reason` names a counter, `http.refused.<reason>`."""

    def __init__(self, reason: str, status: int, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.status = status
        self.message = message


def cut(data: bytes, limit_bytes: int) -> tuple[bytes | None, bytes]:
    """Returns the first head, or None while it is incomplete, and the bytes after it. Raises HeadError."""
    if data.startswith((b"\r", b"\n")):  # blank lines before a request are ignored
        data = data.lstrip(b"\r\n")
    end = data.find(_END, 0, limit_bytes)
    if end < 0:
        if len(data) >= limit_bytes:
            raise HeadError("head_too_large", 431, f"the headers are longer than {limit_bytes} bytes")
        if data and not _METHOD.match(data):
            raise HeadError("not_http", 400, NOT_HTTP)
        return None, data
    head, rest = data[: end + len(_END)], data[end + len(_END) :]
    if head.startswith(b"CONNECT "):
        raise HeadError("not_http", 400, "this is not a proxy")
    if head.startswith(b"PRI "):  # HTTP/2 with prior knowledge; llhttp would wait for more
        raise HeadError("not_http", 400, NOT_HTTP)
    return _without_offer(head), rest


def fault_of(head: bytes) -> HeadError:
    """Returns why aiohttp could not parse a head."""
    if len(_HOST.findall(head)) > 1:
        return HeadError("malformed", 400, "the request has more than one Host header")
    return HeadError("not_http", 400, NOT_HTTP)


def count(data: bytes) -> int:
    """Returns an estimate of the number of heads in these bytes, never above the true number."""
    return data.count(_VERSION)


def _without_offer(head: bytes) -> bytes:
    """Removes an offer of h2c or WebSocket, which a server may ignore (RFC 9110, 7.8): aiohttp 3.11 loses the body
    after it."""
    return _OFFER.sub(b"", head) if b"pgrade" in head.lower() else head
