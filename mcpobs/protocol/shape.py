"""A JSON value as text of its keys and types, without its content: `{limit:integer,path:string}`.

A key that the schema declares is named; any other is `#` and six hex digits of its keyed hash, so equal shapes
stay equal and show nothing of the content.
"""

from __future__ import annotations

from collections.abc import Callable

from mcpobs.protocol.declared import Declared
from mcpobs.protocol.decode import RawNumber

MAX_DEPTH = 6
MAX_TEXT = 512
MAX_MEMBERS = 256  # an object with more is a map, not a record: {…}
MAX_ITEMS = 1_000  # items of an array that are looked at
MAX_ITEM_SHAPES = 8
MAX_VALUES = 10_000  # of the whole value
CUT = "…"

_NOTHING: dict[str, Declared] = {}
SCALARS: dict[type, str] = {
    type(None): "null",
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
}


def shape_of(value: object, declared: Declared | None, hash_key: Callable[[str], str]) -> str:
    """The whole shape; the caller bounds it with `shortened`."""
    return _Shape(hash_key).of(value, declared, MAX_DEPTH)


def shortened(shape: str, digest: Callable[[str], str]) -> str:
    """At most MAX_TEXT characters; two shapes that are cut stay as different as they were."""
    if len(shape) <= MAX_TEXT:
        return shape
    tail = CUT + digest(shape)
    return shape[: MAX_TEXT - len(tail)] + tail


class _Shape:
    """One value's walk: it counts what it has looked at."""

    def __init__(self, hash_key: Callable[[str], str]) -> None:
        self._hash_key = hash_key
        self._left = MAX_VALUES

    def of(self, value: object, declared: Declared | None, depth: int) -> str:
        name = SCALARS.get(type(value))
        if name is not None:
            return name
        if isinstance(value, dict):
            return self._object(value, declared, depth)
        if isinstance(value, list):
            return self._array(value, declared.items if declared else None, depth)
        if isinstance(value, RawNumber):
            return "integer" if value.is_integer else "number"
        return CUT

    def _object(self, value: dict[str, object], declared: Declared | None, depth: int) -> str:
        if not value:
            return "{}"
        if depth == 0 or len(value) > MAX_MEMBERS or self._spend(len(value)):
            return "{" + CUT + "}"
        named = declared.members if declared else _NOTHING
        others = declared.others if declared else None
        parts = []
        for key in sorted(value):  # sorted, for MAX_VALUES is spent in this order
            below = value[key]
            kind = SCALARS.get(type(below))
            if key in named:
                parts.append(f"{key}:{kind or self.of(below, named[key], depth - 1)}")
            else:
                parts.append(f"{self._hash_key(key)}:{kind or self.of(below, others, depth - 1)}")
        parts.sort()
        return "{" + ",".join(parts) + "}"

    def _array(self, value: list[object], declared: Declared | None, depth: int) -> str:
        if not value:
            return "[]"
        if depth == 0 or self._spend(min(len(value), MAX_ITEMS)):
            return "[" + CUT + "]"
        shapes = sorted({self.of(item, declared, depth - 1) for item in value[:MAX_ITEMS]})
        if len(shapes) > MAX_ITEM_SHAPES:
            shapes[MAX_ITEM_SHAPES:] = [CUT]
        return "[" + "|".join(shapes) + "]"

    def _spend(self, values: int) -> bool:
        """True where the value is too large to be looked at any further."""
        self._left -= values
        return self._left < 0
