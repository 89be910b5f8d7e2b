"""Converts OTLP/JSON trace requests to protobuf, so that later stages handle one format. Reads no protobuf.

The format is that of the OTLP specification, "JSON Protobuf Encoding": protobuf's JSON with hexadecimal ids and enums
as numbers. Also accepted, because some senders use them: enums by name, names in snake_case, 64-bit integers as
numbers, unpadded and URL-safe base64, and the members that instrumentation scopes had before 2022. Unknown members are
ignored, a null member counts as absent, and of several values of one AnyValue the last counts.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
import struct
from collections.abc import Callable, Mapping
from typing import Final

import orjson

from mcpobs.lake.otlp.columns import MAX_DEPTH, MAX_JSON_VALUES
from mcpobs.lake.otlp.request import MalformedError, TooManyValuesError

_VARINT, _I64, _LEN, _I32 = 0, 1, 2, 5

_Member = Callable[[object, int], bytes]
"""Encodes the value of a member as a field, with its tag. The number is the nesting depth of the member's message."""

_Message = Mapping[str, _Member]
"""The members of a message by both spellings of their names."""

_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,20}", re.ASCII)
_DOUBLE: Final = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", re.ASCII)
_MARKS: Final = (b",", b"{", b"[")
_TOKENS: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[,{\[]', re.DOTALL)
"""Matches strings, whole or truncated, and the marks outside of them."""
_SURROGATES: Final = re.compile("[\ud800-\udfff]")
_NOT_FINITE: Final = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_KINDS: Final = ("UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER")
_CODES: Final = ("UNSET", "OK", "ERROR")


class _WrongError(Exception):
    """The fault of a value. `path` grows on the way out, so that a valid value costs nothing."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what
        self.path = ""


def from_json(body: bytes, count_values: Callable[[bytes, int], int] | None = None) -> bytes:
    """Returns the request as protobuf bytes. Raises MalformedError with the fault and its path.

    `count_values` counts as `values` does.
    """
    if (count_values or values)(body, MAX_JSON_VALUES) > MAX_JSON_VALUES:
        raise TooManyValuesError(f"more than {MAX_JSON_VALUES} JSON values in a request; send fewer in each")
    request = _parsed(body)
    try:
        return _message(request, _REQUEST, 0)
    except _WrongError as wrong:
        raise MalformedError(f"{wrong.path.lstrip('.') or 'the request'}: {wrong.what}") from None
    except RecursionError:
        raise MalformedError("messages nested too deep") from None


def values(text: bytes, most: int) -> int:
    """Returns more than `most` if, and only if, a JSON text has more values: containers, and commas outside of strings.
    The text need not be valid."""
    marks = text.count(b",") + text.count(b"{") + text.count(b"[")
    if marks <= most:  # inside and outside of strings
        return marks
    found = 0
    for token in _TOKENS.finditer(text):
        found += token[0] in _MARKS
        if found > most:
            break
    return found


def _parsed(body: bytes) -> object:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        first = error
    try:  # JavaScript writes half a character as a lone surrogate, which orjson refuses
        return json.loads(body.decode(), parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise MalformedError(f"not valid JSON: {first}") from None


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


# -- protobuf ----------------------------------------------------------------------------------------------------------


def _varint(value: int) -> bytes:
    if value < 0x80:
        return bytes((value,))
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _tag(number: int, wire: int) -> bytes:
    return _varint(number << 3 | wire)


# -- kinds of members --------------------------------------------------------------------------------------------------


def _message(value: object, members: _Message, depth: int) -> bytes:
    if not isinstance(value, dict):
        raise _WrongError("is not an object")
    if depth > MAX_DEPTH:
        raise _WrongError("is nested too deep")
    out = []
    for name, member in value.items():
        encode = members.get(name)
        if encode is not None and member is not None:
            try:
                out.append(encode(member, depth))
            except _WrongError as wrong:
                wrong.path = f".{name}{wrong.path}"
                raise
    return b"".join(out)


def _one(number: int, members: Callable[[], _Message]) -> _Member:
    tag = _tag(number, _LEN)

    def encode(value: object, depth: int) -> bytes:
        data = _message(value, members(), depth + 1)
        return tag + _varint(len(data)) + data

    return encode


def _many(number: int, members: Callable[[], _Message]) -> _Member:
    one = _one(number, members)

    def encode(value: object, depth: int) -> bytes:
        if not isinstance(value, list):
            raise _WrongError("is not an array")
        out = []
        for index, element in enumerate(value):
            try:
                out.append(one({} if element is None else element, depth))
            except _WrongError as wrong:
                wrong.path = f"[{index}]{wrong.path}"
                raise
        return b"".join(out)

    return encode


def _data(number: int, read: Callable[[object], bytes]) -> _Member:
    tag = _tag(number, _LEN)

    def encode(value: object, _: int) -> bytes:
        data = read(value)
        return tag + _varint(len(data)) + data

    return encode


def _number(number: int, bits: int, *, signed: bool = False, fixed: bool = False) -> _Member:
    tag = _tag(number, (_I64 if bits == 64 else _I32) if fixed else _VARINT)
    least, most = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)

    def encode(value: object, _: int) -> bytes:
        read = _integer(value)
        if not least <= read <= most:
            raise _WrongError(f"{_shown(value)} is out of range")
        return tag + (read.to_bytes(bits // 8, "little") if fixed else _varint(read & (1 << 64) - 1))

    return encode


def _enum(number: int, prefix: str, names: tuple[str, ...]) -> _Member:
    tag = _tag(number, _VARINT)
    values = {prefix + name: value for value, name in enumerate(names)}

    def encode(value: object, _: int) -> bytes:
        read = values.get(value) if isinstance(value, str) else None
        if read is None:
            read = _integer(value)
        if not -(1 << 31) <= read < 1 << 31:
            raise _WrongError(f"{_shown(value)} is out of range")
        return tag + _varint(read & (1 << 64) - 1)

    return encode


# -- values ------------------------------------------------------------------------------------------------------------


def _integer(value: object) -> int:
    match value:
        case bool():
            pass
        case int():
            return value
        case float() if value.is_integer():
            return int(value)
        case str() if _INTEGER.fullmatch(value):
            return int(value)
    raise _WrongError(f"{_shown(value)} is not an integer")


def _double(value: object) -> float:
    match value:
        case bool():
            pass
        case int() | float() if not _is_huge(value):
            return float(value)
        case str() if value in _NOT_FINITE:
            return _NOT_FINITE[value]
        case str() if _DOUBLE.fullmatch(value):
            return float(value)
    raise _WrongError(f"{_shown(value)} is not a number")


def _is_huge(value: int | float) -> bool:
    return isinstance(value, int) and value.bit_length() > 1023  # float() fails from about this size on


def _text(value: object) -> bytes:
    if not isinstance(value, str):
        raise _WrongError(f"{_shown(value)} is not a string")
    try:
        return value.encode()
    except UnicodeEncodeError:
        return _SURROGATES.sub("\N{REPLACEMENT CHARACTER}", value).encode()


def _hex(value: object) -> bytes:
    try:
        return binascii.unhexlify(_text(value))
    except binascii.Error:
        raise _WrongError(f"{_shown(value)} is not hexadecimal") from None


def _base64(value: object) -> bytes:
    text = _text(value).translate(_URL_SAFE).rstrip(b"=")
    try:
        return base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        raise _WrongError(f"{_shown(value)} is not base64") from None


_URL_SAFE: Final = bytes.maketrans(b"-_", b"+/")


def _shown(value: object) -> str:
    if isinstance(value, list | dict):  # may be nested too deep for json to write
        return "an array" if isinstance(value, list) else "an object"
    text = value if isinstance(value, str) else json.dumps(value)
    return ascii(text if len(text) <= 40 else text[:37] + "...")


def _bool(value: object, _: int) -> bytes:
    if not isinstance(value, bool):
        raise _WrongError(f"{_shown(value)} is neither true nor false")
    return b"\x10\x01" if value else b"\x10\x00"


def _double_field(value: object, _: int) -> bytes:
    return b"\x21" + struct.pack("<d", _double(value))


# -- the messages ------------------------------------------------------------------------------------------------------


def _spelled(members: dict[str, _Member]) -> _Message:
    """Returns each member by its name in camelCase and in snake_case."""
    return members | {re.sub("([A-Z])", lambda found: "_" + found[1].lower(), name): m for name, m in members.items()}


_ANY_VALUE: Final[_Message] = _spelled(
    {
        "stringValue": _data(1, _text),
        "boolValue": _bool,
        "intValue": _number(3, 64, signed=True),
        "doubleValue": _double_field,
        "arrayValue": _one(5, lambda: _ARRAY),
        "kvlistValue": _one(6, lambda: _MAP),
        "bytesValue": _data(7, _base64),
    }
)
_ARRAY: Final[_Message] = {"values": _many(1, lambda: _ANY_VALUE)}
_MAP: Final[_Message] = {"values": _many(1, lambda: _KEY_VALUE)}
_KEY_VALUE: Final[_Message] = {"key": _data(1, _text), "value": _one(2, lambda: _ANY_VALUE)}

_EVENT: Final = _spelled(
    {
        "timeUnixNano": _number(1, 64, fixed=True),
        "name": _data(2, _text),
        "attributes": _many(3, lambda: _KEY_VALUE),
        "droppedAttributesCount": _number(4, 32),
    }
)
_LINK: Final = _spelled(
    {
        "traceId": _data(1, _hex),
        "spanId": _data(2, _hex),
        "traceState": _data(3, _text),
        "attributes": _many(4, lambda: _KEY_VALUE),
        "droppedAttributesCount": _number(5, 32),
        "flags": _number(6, 32, fixed=True),
    }
)
_STATUS: Final[_Message] = {"message": _data(2, _text), "code": _enum(3, "STATUS_CODE_", _CODES)}
_SPAN: Final = _spelled(
    {
        "traceId": _data(1, _hex),
        "spanId": _data(2, _hex),
        "traceState": _data(3, _text),
        "parentSpanId": _data(4, _hex),
        "name": _data(5, _text),
        "kind": _enum(6, "SPAN_KIND_", _KINDS),
        "startTimeUnixNano": _number(7, 64, fixed=True),
        "endTimeUnixNano": _number(8, 64, fixed=True),
        "attributes": _many(9, lambda: _KEY_VALUE),
        "droppedAttributesCount": _number(10, 32),
        "events": _many(11, lambda: _EVENT),
        "droppedEventsCount": _number(12, 32),
        "links": _many(13, lambda: _LINK),
        "droppedLinksCount": _number(14, 32),
        "status": _one(15, lambda: _STATUS),
        "flags": _number(16, 32, fixed=True),
    }
)
_SCOPE: Final = _spelled(
    {
        "name": _data(1, _text),
        "version": _data(2, _text),
        "attributes": _many(3, lambda: _KEY_VALUE),
        "droppedAttributesCount": _number(4, 32),
    }
)
_SCOPE_SPANS: Final = _spelled(
    {
        "scope": _one(1, lambda: _SCOPE),
        "instrumentationLibrary": _one(1, lambda: _SCOPE),
        "spans": _many(2, lambda: _SPAN),
        "schemaUrl": _data(3, _text),
    }
)
_RESOURCE: Final[_Message] = {"attributes": _many(1, lambda: _KEY_VALUE)}
_RESOURCE_SPANS: Final = _spelled(
    {
        "resource": _one(1, lambda: _RESOURCE),
        "scopeSpans": _many(2, lambda: _SCOPE_SPANS),
        "schemaUrl": _data(3, _text),
        "instrumentationLibrarySpans": _many(1000, lambda: _SCOPE_SPANS),
    }
)
_REQUEST: Final = _spelled({"resourceSpans": _many(1, lambda: _RESOURCE_SPANS)})
