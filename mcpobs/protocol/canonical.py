"""One byte string for one JSON value, whatever its key order, spacing and escapes. Never raises."""

from __future__ import annotations

import json
from json.encoder import encode_basestring
from typing import NamedTuple

import orjson

from mcpobs.protocol.decode import Opaque, RawNumber

_ODD = b"\0"  # no JSON text begins with it: the two forms can never be equal


class Canonical(NamedTuple):
    """`text` is what equal values have in common; `size_bytes` is the value's size as compact JSON."""

    text: bytes
    size_bytes: int


def canonical(value: object) -> Canonical:
    """Sorted, compact JSON. What orjson cannot write (lone surrogates, integers beyond 64 bits, depth over 254,
    RawNumber) is written by Python in the same way, under a tag."""
    try:
        text = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        odd = _odd(value)
        return Canonical(_ODD + odd, len(odd))
    return Canonical(text, len(text))


def _odd(value: object) -> bytes:
    try:
        text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    except (TypeError, RecursionError):
        text = _written(value)
    return text.encode("utf-8", "surrogatepass")


class _Literal(NamedTuple):
    text: str


def _written(value: object) -> str:
    """The same text as json.dumps gives, without recursion, and with RawNumber as it was sent."""
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
            case RawNumber(text=text):
                out.append(text)
            case Opaque(raw=raw):
                out.append(raw.decode("utf-8", "surrogateescape"))
            case plain:  # null, booleans and numbers
                out.append(json.dumps(plain))
    return "".join(out)
