"""Answers a JSON-RPC request with an error in the server's place. Does no I/O and never raises, for any bytes."""

from __future__ import annotations

import orjson

from mcpobs.protocol.envelope import members, skip_space

_ID_BEGINS = b'"-0123456789'  # a text or a number; all else is no id


def refusal(request: bytes | None, code: int, message: str) -> bytes:
    """An error response with the id of the request, in its very bytes; null where what came is not one request, or not
    known (JSON-RPC 2.0, 5: "if there was an error in detecting the id")."""
    error = orjson.dumps({"code": code, "message": message})
    return b'{"jsonrpc":"2.0","id":%b,"error":%b}' % (_id_of(request or b""), error)


def _id_of(frame: bytes) -> bytes:
    at = skip_space(frame, 0)
    found = members(frame, at) if frame[at : at + 1] == b"{" else None
    if found is None or frame[found.end :].strip():
        return b"null"
    values = {member.name: frame[member.start : member.end] for member in found.items}  # the last of doubles wins
    value = values.get("id", b"")
    if not values.get("method", b"").startswith(b'"') or value[:1] not in _ID_BEGINS or not value:
        return b"null"
    return value if _is_sound(value) else b"null"


def _is_sound(value: bytes) -> bool:
    """Whether our answer can hold it and be JSON in UTF-8."""
    try:
        orjson.loads(value)
    except orjson.JSONDecodeError:
        return False
    return True
