"""Divides an OTLP trace request into two, so that a span that cannot be stored does not block the others. Decodes no
value.

The halves together have the same spans in the same order; each keeps the spans' resource and scope, and unknown fields.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from mcpobs.lake.otlp.request import Body

_MEMBERS: Final = (1, 2, 2)
"""Numbers of the fields that are divided: resource_spans, scope_spans and spans."""
_OLD_SCOPE_SPANS: Final = 1000
_LENGTH_DELIMITED: Final = 2
_FIXED: Final = {1: 8, 5: 4}  # bytes by wire type; a request with groups stays whole


class _Field(NamedTuple):
    number: int
    record: Body  # with its tag
    content: Body  # of a length-delimited field


def halves(body: Body) -> tuple[bytes, bytes] | None:
    """Returns two requests with the spans of one; None if it has fewer than two spans or is malformed."""
    try:
        return _divided(body, 0)
    except (LookupError, ValueError):
        return None


def _divided(message: Body, level: int) -> tuple[bytes, bytes] | None:
    fields = list(_fields(message))
    members = [place for place, field in enumerate(fields) if _is_member(field, level)]
    if not members:
        return None
    if len(members) == 1:
        return _divided_inside(fields, members[0], level)
    middle = members[len(members) // 2]
    first = [field.record for place, field in enumerate(fields) if place < middle or place not in members]
    second = [field.record for place, field in enumerate(fields) if place >= middle or place not in members]
    return b"".join(first), b"".join(second)


def _divided_inside(fields: list[_Field], place: int, level: int) -> tuple[bytes, bytes] | None:
    """Divides the only member of a message; the other fields go into both halves."""
    inner = _divided(fields[place].content, level + 1) if level + 1 < len(_MEMBERS) else None
    if inner is None:
        return None
    number = fields[place].number
    first, second = (
        b"".join(_record(number, half) if at == place else field.record for at, field in enumerate(fields))
        for half in inner
    )
    return first, second


def _is_member(field: _Field, level: int) -> bool:
    return field.number == _MEMBERS[level] or (level == 1 and field.number == _OLD_SCOPE_SPANS)


def _fields(message: Body) -> Iterator[_Field]:
    at = 0
    while at < len(message):
        begin = at
        tag, at = _varint(message, at)
        content: Body = b""
        if tag & 7 == _LENGTH_DELIMITED:
            size, at = _varint(message, at)
            content = message[at : at + size]
            at += size
        elif tag & 7 == 0:
            _, at = _varint(message, at)
        else:
            at += _FIXED[tag & 7]
        if at > len(message):
            raise ValueError("cut short")
        yield _Field(tag >> 3, message[begin:at], content)


def _varint(message: Body, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("no varint")


def _record(number: int, content: bytes) -> bytes:
    return _encoded(number << 3 | _LENGTH_DELIMITED) + _encoded(len(content)) + content


def _encoded(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
