"""A frame as Python values, as exactly as its text says them. Never raises, for any bytes.

orjson takes nearly all frames. What it refuses or rounds goes to the standard library: lone surrogates, NaN,
numbers beyond a double, integers beyond 64 bits (orjson makes floats of them), a byte order mark, bytes that are
no UTF-8 (peers replace those, so the frame counts). Nesting that is too deep for both is read from outside: the
members that matter are decoded one by one, and the one that is too deep stays bytes.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping

import orjson

from mcpobs.protocol.envelope import elements, members

_BOM = b"\xef\xbb\xbf"
_DIGITS = bytes(0x30 if 0x30 <= byte <= 0x39 else 0x20 for byte in range(256))
_LONG_RUN = b"0" * 19  # 2**63 has 19 digits
_SAMPLED_RUN = b"000"  # what every sixth byte shows of such a run, wherever it begins
_LONG_NUMBER = re.compile(rb"(?:\A|[:\[,\s-])[0-9]{19}")
_MAX_INT_DIGITS = 4000  # int() refuses 4300 by default, and takes time that grows with the square


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
    """The JSON value of a frame; None where it holds none (a frame `null` is no message either)."""
    try:
        value: object = orjson.loads(frame)
    except orjson.JSONDecodeError:
        return _decode_odd(frame)
    # not `in`, which makes and drops an exception before it looks for bytes in bytes
    if frame[::6].translate(_DIGITS).find(_SAMPLED_RUN) >= 0 and _has_long_number(frame):
        return _decode_odd(frame)
    return value


def _has_long_number(frame: bytes) -> bool:
    """1.7 µs/KB; the regex alone takes 13, and only that tells a number from digits inside a text."""
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


def _by_parts(raw: bytes, parts: _Parts) -> object:
    """The object's members, each decoded for itself; the last of doubles wins, as in JSON parsers."""
    found = members(raw, 0)
    if found is None or found.end != len(raw):
        return Opaque(raw)
    return {member.name: _value(raw[member.start : member.end], parts.get(member.name)) for member in found.items}


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
