"""The frames between a command and the process that runs a user's SQL: length, then JSON. Imports nothing heavy.

JSON, not pickle: that process ran somebody else's statement, so only values are accepted from it. A column
of a type that JSON has travels as it is; a value of any other type says its type.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any, Final

Frame = dict[str, Any]
"""Any: JSON. `kind` says which frame it is."""

MAX_FRAME: Final = 16 << 20
"""Bytes of a frame. A row that is longer cannot be sent."""

HEAD_BYTES: Final = 4

_PLAIN: Final = frozenset(
    {
        *("boolean", "tinyint", "smallint", "integer", "bigint", "hugeint", "float", "double", "varchar"),
        *("utinyint", "usmallint", "uinteger", "ubigint", "uhugeint"),
    }
)
_PARSED: Final[dict[str, Callable[[str], object]]] = {
    "date": date.fromisoformat,
    "datetime": datetime.fromisoformat,
    "time": time.fromisoformat,
    "bytes": bytes.fromhex,
}
_NAMED: Final = {"Decimal": "decimal", "UUID": "uuid"}
"""By the names of their classes: the modules cost 15 ms at import, and few answers need them."""


class FrameError(ValueError):
    """A frame that is too long, or none."""


def packed(frame: Frame) -> bytes:
    """A frame as it is written. Raises FrameError if it is longer than a reader takes."""
    return _headed(_json(frame))


def packed_rows(rows: Sequence[object]) -> bytes:
    """A frame of rows, with how many bytes they have; it makes them JSON once."""
    content = _json(rows)
    return _headed(b'{"kind":"rows","bytes":%d,"rows":%b}' % (len(content), content))


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _headed(content: bytes) -> bytes:
    if len(content) > MAX_FRAME:
        raise FrameError(f"{len(content):,} bytes")
    return len(content).to_bytes(HEAD_BYTES, "big") + content


def take(buffer: bytearray) -> Frame | None:
    """The first frame of what was read, taken out of it; None while it is not whole."""
    if len(buffer) < HEAD_BYTES:
        return None
    end = HEAD_BYTES + int.from_bytes(buffer[:HEAD_BYTES], "big")
    if end > HEAD_BYTES + MAX_FRAME:
        raise FrameError("a frame is too long")
    if len(buffer) < end:
        return None
    try:
        frame = json.loads(buffer[HEAD_BYTES:end])
    except (ValueError, RecursionError):
        raise FrameError("a frame is no JSON") from None
    del buffer[:end]
    if not isinstance(frame, dict) or not isinstance(frame.get("kind"), str):
        raise FrameError("a frame says no kind")
    return frame


def is_plain(type_: str) -> bool:
    """Whether values of a type of DuckDB travel as they are."""
    return type_ in _PLAIN


def encoded(value: object) -> object:
    """A value of DuckDB as JSON that says its type."""
    match value:
        case None | bool() | int() | float() | str():
            return value
        case bytes() | bytearray():
            return {"bytes": value.hex()}
        case datetime():  # before date, which it is as well
            return {"datetime": value.isoformat()}
        case date():
            return {"date": value.isoformat()}
        case time():
            return {"time": value.isoformat()}
        case timedelta():
            return {"interval": [value.days, value.seconds, value.microseconds]}
        case list():
            return [encoded(item) for item in value]
        case tuple():
            return {"tuple": [encoded(item) for item in value]}
        case dict():
            return {"map": [[encoded(key), encoded(item)] for key, item in value.items()]}
        case _:
            name = _NAMED.get(type(value).__name__)
            return {name: str(value)} if name else str(value)


def decoded(value: object) -> object:
    """The value that was encoded. Raises FrameError if its type is unknown."""
    if isinstance(value, list):
        return [decoded(item) for item in value]
    if not isinstance(value, dict):
        return value
    try:
        ((kind, content),) = value.items()
        match kind:
            case "tuple":
                return tuple(decoded(item) for item in content)
            case "map":
                return {decoded(key): decoded(item) for key, item in content}
            case "interval":
                days, seconds, microseconds = content
                return timedelta(days, seconds, microseconds)
            case "decimal":
                from decimal import Decimal

                return Decimal(content)
            case "uuid":
                from uuid import UUID

                return UUID(content)
            case _:
                return _PARSED[kind](content)
    except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError):
        raise FrameError("a frame has a value of no known type") from None
