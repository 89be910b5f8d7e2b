"""A frame as Python values, as exactly as its text says them. Never raises, for any bytes.

orjson takes nearly all frames. What it refuses or rounds goes to the standard library: lone surrogates, NaN,
numbers beyond a double, integers beyond 64 bits (orjson makes floats of them), a byte order mark, bytes that are
no UTF-8 (peers replace those, so the frame counts). Nesting that is too deep for both is read from outside: the
members that matter are decoded one by one, and the one that is too deep stays bytes.

Of a frame that is too large, or has too many values (60 MB of `{}` would take 1.9 GB as Python objects), only the
members at its head and at its end are decoded: what it is, whose answer it is, and whether that is an error.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping

import orjson

from mcpobs.protocol.cut import HEAD_BYTES, TAIL_BYTES, Cut
from mcpobs.protocol.envelope import NESTED, SPACE, STRING, elements, members

_BOM = b"\xef\xbb\xbf"
_DIGITS = bytes(0x30 if 0x30 <= byte <= 0x39 else 0x20 for byte in range(256))
_LONG_RUN = b"0" * 19  # 2**63 has 19 digits
_SAMPLED_RUN = b"000"  # what every sixth byte shows of such a run, wherever it begins
_LONG_NUMBER = re.compile(rb"(?:\A|[:\[,\s-])[0-9]{19}")
_COUNTED_BYTES = 4 << 20
_LAST_MEMBERS = re.compile(
    rb"((?:,%b%b%b:%b(?:%b|%b|[-+.0-9A-Za-z]++)%b)*+)\}%b\Z"
    % (
        SPACE.pattern,
        STRING.pattern,
        SPACE.pattern,
        SPACE.pattern,
        STRING.pattern,
        NESTED,
        SPACE.pattern,
        SPACE.pattern,
    ),
    re.DOTALL,
)
MAX_BYTES = 16 << 20  # 0.2 s of CPU as prose, 0.7 s as bytes that are no UTF-8
MAX_WEIGHT = 1_500_000  # of all values of a frame; at most 100 MB as Python objects
CONTAINER_WEIGHT = 8
SURELY_LIGHT_BYTES = MAX_WEIGHT // CONTAINER_WEIGHT  # cannot hold more: nearly all frames, without a call
SCANNED_BYTES = 4 << 20  # of a frame with too many values; a larger one is read at its ends only
_MAX_INT_DIGITS = (
    400  # int() and str() take time that grows with the square: 4,000 digits cost 30 times as much as prose
)


class RawNumber:
    """A JSON number that Python cannot carry, or NaN and its like: kept as its text."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    @property
    def is_integer(self) -> bool:
        return self.text.removeprefix("-").isdigit()


class Opaque:
    """A JSON value that could not be decoded: its bytes as they were sent."""

    __slots__ = ("raw",)

    def __init__(self, raw: bytes) -> None:
        self.raw = raw


class _Refused:
    """No parser took it: `deep` where its nesting was the reason, else it is no JSON."""

    __slots__ = ("deep",)

    def __init__(self, deep: bool) -> None:
        self.deep = deep


_Parts = Mapping[str, "_Parts"]
_MESSAGE: _Parts = {"params": {"_meta": {}}, "result": {}, "error": {}}


def decode(frame: bytes) -> object:
    """The JSON value of a frame; None where it holds none (a frame `null` is no message either).

    Of a frame of more than MAX_BYTES or MAX_WEIGHT only the outside is decoded."""
    if len(frame) > SURELY_LIGHT_BYTES and is_too_large(frame):
        return _outside(frame.removeprefix(_BOM).strip(b" \t\r\n"))
    try:
        value: object = orjson.loads(frame)
    except orjson.JSONDecodeError:
        return _decode_odd(frame)
    # not `in`, which makes and drops an exception before it looks for bytes in bytes
    if frame[::6].translate(_DIGITS).find(_SAMPLED_RUN) >= 0 and _has_long_number(frame):
        return _decode_odd(frame)
    return value


def decode_cut(cut: Cut) -> object:
    """The same of a message that is too long to be kept: the members at its two ends."""
    head = cut.head.removeprefix(_BOM).lstrip(b" \t\r\n")
    if head[:1] != b"{":
        return None
    kept = head + cut.tail
    return _ends_of(kept, head, 0, len(kept), _MESSAGE)[0]


def is_too_large(frame: bytes) -> bool:
    return len(frame) > MAX_BYTES or counts_more(frame, MAX_WEIGHT)


def counts_more(frame: bytes, most: int) -> bool:
    """Whether the values of a frame weigh more than `most`: 1 for each comma, for a value stands behind it, and
    CONTAINER_WEIGHT for each container, which takes more memory. Stops when there are enough: the cost is that of so
    many values, whatever the frame's size."""
    if len(frame) * CONTAINER_WEIGHT <= most:
        return False
    if _weight(frame, 0, _COUNTED_BYTES) <= most and _weight(frame) <= most:
        return False
    found = at = 0
    for texts, text in enumerate(STRING.finditer(frame)):  # what is inside of texts weighs nothing
        found += _weight(frame, at, text.start())
        if found > most or texts > 2 * most:  # a value has at most a name beside it
            return True
        at = text.end()
    return found + _weight(frame, at) > most


def _weight(frame: bytes, start: int = 0, end: int | None = None) -> int:
    containers = frame.count(b"[", start, end) + frame.count(b"{", start, end)
    return frame.count(b",", start, end) + CONTAINER_WEIGHT * containers


def _outside(frame: bytes) -> object:
    """A frame of too many values. A small one is read member by member, of a large one only head and end."""
    begins = frame[:1]
    if len(frame) <= SCANNED_BYTES:
        left = _Left(MAX_WEIGHT)
        if begins == b"{":
            return _by_parts(frame, _MESSAGE, left)
        spans = elements(frame, 0) if begins == b"[" else None
        return None if spans is None else [_bounded(frame[start:end], _MESSAGE, left) for start, end in spans]
    head = frame[:HEAD_BYTES]
    if begins == b"{":
        return _ends_of(frame, head, 0, len(frame), _MESSAGE)[0]
    if begins == b"[":
        return [_value(head[start:end], _MESSAGE) for start, end in elements(head, 0, whole=False) or ()]
    return None


class _Left:
    """The weight of values that may still be decoded of a frame."""

    __slots__ = ("weight",)

    def __init__(self, weight: int) -> None:
        self.weight = weight


def _bounded(raw: bytes, parts: _Parts | None, left: _Left) -> object:
    if counts_more(raw, left.weight):
        return Opaque(raw) if parts is None or raw[:1] != b"{" else _by_parts(raw, parts, left)
    left.weight -= min(_weight(raw), left.weight)
    return _value(raw, parts)


def _ends_of(frame: bytes, head: bytes, at: int, end: int, parts: _Parts) -> tuple[dict[str, object], int]:
    """The members of an object that is too large: those that are whole in the head, those after the last large value,
    and that value, of which only the outside is decoded. Gives the place before the last members, too."""
    found = members(head, at, whole=False)
    values: dict[str, object] = {}
    for member in found.items if found is not None else ():
        values[member.name] = _value(head[member.start : member.end], parts.get(member.name))
    last, before = _last_members(frame, end)
    if found is not None and found.cut is not None:
        name, start = found.cut
        below = parts.get(name)
        if below is not None and head[start : start + 1] == b"{":
            values[name], _ = _ends_of(frame, head, start, before, below)
        else:
            values[name] = Opaque(frame[start:before])
    return values | last, before


def _last_members(frame: bytes, end: int) -> tuple[dict[str, object], int]:
    """The members without brackets at the end of the object that ends there, and where the value before them ends."""
    tail = frame[max(0, end - TAIL_BYTES) : end]
    found = _LAST_MEMBERS.search(tail)
    if found is None:
        return {}, end
    value = _loads(b"{" + found[1].lstrip(b", \t\r\n") + b"}")
    before = end - len(tail) + found.start()
    return (value if isinstance(value, dict) else {}), before


def _has_long_number(frame: bytes) -> bool:
    """1.7 µs/KB; the regex takes 13, and it alone distinguishes a number from digits inside a text."""
    return _LONG_RUN in frame.translate(_DIGITS) and _LONG_NUMBER.search(frame) is not None


def _decode_odd(frame: bytes) -> object:
    frame = frame.removeprefix(_BOM).strip(b" \t\r\n")
    value = _loads(frame)
    if not isinstance(value, _Refused):
        return value
    if not value.deep:
        return None
    if frame[:1] == b"{":
        return _by_parts(frame, _MESSAGE)
    spans = elements(frame, 0) if frame[:1] == b"[" else None
    return None if spans is None else [_value(frame[start:end], _MESSAGE) for start, end in spans]


def _value(raw: bytes, parts: _Parts | None) -> object:
    value = _loads(raw)
    if not isinstance(value, _Refused):
        return value
    if parts is None or raw[:1] != b"{":
        return Opaque(raw)
    return _by_parts(raw, parts)


def _by_parts(raw: bytes, parts: _Parts, left: _Left | None = None) -> object:
    """The object's members, each decoded for itself; the last of doubles wins, as in JSON parsers."""
    found = members(raw, 0)
    if found is None or found.end != len(raw):
        return Opaque(raw)
    values: dict[str, object] = {}
    for name, member in {member.name: member for member in found.items}.items():
        text = raw[member.start : member.end]
        values[name] = _value(text, parts.get(name)) if left is None else _bounded(text, parts.get(name), left)
    return values


def _loads(raw: bytes) -> object:
    try:
        value: object = json.loads(
            raw.decode("utf-8", "surrogateescape"),
            parse_int=_integer,
            parse_float=_float,
            parse_constant=RawNumber,
        )
    except RecursionError:
        return _Refused(deep=True)
    except ValueError:
        return _Refused(deep=False)
    return value


def _integer(text: str) -> int | RawNumber:
    return int(text) if len(text) <= _MAX_INT_DIGITS else RawNumber(text)


def _float(text: str) -> float | RawNumber:
    value = float(text)
    return value if math.isfinite(value) else RawNumber(text)
