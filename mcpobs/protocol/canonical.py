"""One byte string for one JSON value, whatever its key order, spacing and escapes. Never raises."""

from __future__ import annotations

import json
from json.encoder import encode_basestring
from typing import Any, NamedTuple

import orjson

from mcpobs.protocol.decode import Opaque, RawNumber

_ODD = b"\0"  # no JSON text begins with it: the two forms can never be equal
# The member that stands for a RawNumber. No decoded text holds these two in a row: an escaped pair is joined, and
# bytes that are no UTF-8 become U+DC80 to U+DCFF.
_NUMBER = "\ud800\udfff"


_LEAST, _BEYOND = -(2.0**63), 2.0**64  # the integers that orjson writes


def canonical(value: object) -> tuple[bytes, int]:
    """What equal values have in common, and the value's size in bytes as compact JSON.

    Sorted, compact JSON, with whole numbers as integers: to most readers 1.0 is 1, and -0.0 is 0. What orjson cannot
    write (lone surrogates, integers beyond 64 bits, depth over 254, RawNumber) is written by Python in the same way,
    under a tag."""
    try:
        text = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        return _odd(_whole(value))[0], _odd(value)[1]
    if b".0" in text or b"e+1" in text or b"e1" in text:  # a whole number looks so, up to the largest integer
        return orjson.dumps(_whole(value), option=orjson.OPT_SORT_KEYS), len(text)
    return text, len(text)


def _whole(value: object) -> object:
    """The value with integers in place of equal floats. Without recursion, for a value of any depth."""
    root = [value]
    to_do: list[tuple[Any, Any]] = [(root, 0)]
    while to_do:
        holder, place = to_do.pop()
        item = holder[place]
        if type(item) is float:
            if _LEAST <= item < _BEYOND and item.is_integer():
                holder[place] = int(item)
        elif isinstance(item, dict):
            holder[place] = item = dict(item)
            to_do += [(item, name) for name in item]
        elif isinstance(item, list):
            holder[place] = item = list(item)
            to_do += [(item, at) for at in range(len(item))]
    return root[0]


def _odd(value: object) -> tuple[bytes, int]:
    stands_for = _StandIns()
    try:
        text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=stands_for)
    except RecursionError:
        stands_for = _StandIns()
        text = _written(value, stands_for)
    raw = text.encode("utf-8", "surrogatepass")
    return _ODD + raw, len(raw) - stands_for.extra_bytes


class _StandIns:
    """Writes a number that Python cannot carry as an object, which json.dumps can write at full speed."""

    def __init__(self) -> None:
        self.extra_bytes = 0

    def __call__(self, value: object) -> dict[str, str]:
        if isinstance(value, RawNumber):
            self.extra_bytes += len('{"":""}') + 6  # each half of _NUMBER has three bytes
            return {_NUMBER: value.text}
        assert isinstance(value, Opaque)
        return {_NUMBER: value.raw.decode("utf-8", "surrogateescape")}


class _Literal(NamedTuple):
    text: str


def _written(value: object, stands_for: _StandIns) -> str:
    """The same text as json.dumps gives, without recursion."""
    out: list[str] = []
    to_do: list[object] = [value]
    while to_do:
        match to_do.pop():
            case _Literal(text):
                out.append(text)
            case dict() as members:
                out.append("{")
                to_do.append(_Literal("}"))
                separator = ""
                for name in sorted(members, reverse=True):
                    to_do += (_Literal(separator), members[name], _Literal(f"{encode_basestring(name)}:"))
                    separator = ","
            case list() as items:
                out.append("[")
                to_do.append(_Literal("]"))
                separator = ""
                for item in reversed(items):
                    to_do += (_Literal(separator), item)
                    separator = ","
            case str() as text:
                out.append(encode_basestring(text))
            case RawNumber() | Opaque() as odd:
                to_do.append(stands_for(odd))
            case plain:  # null, booleans and numbers
                out.append(json.dumps(plain))
    return "".join(out)
