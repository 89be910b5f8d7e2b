"""JSON-RPC ids as keys that pair: by type and value, bounded in memory. Knows which others clients take for them."""

from __future__ import annotations

import re
from hashlib import blake2b

from mcpobs.protocol.decode import RawNumber
from mcpobs.protocol.text import bounded

Key = int | str | tuple[str, str] | bytes

MAX_TEXT = 128  # of an id that is its own key
_MAX_BITS = 256
_MAX_LENIENT = 1 << 53  # the integers that a client in JavaScript can compare
_NUMBER = re.compile(r"\s*([+-]?[0-9]{1,20})(?:\.0*)?(?:[eE]([+-]?[0-9]{1,2}))?\s*", re.ASCII)


def id_key(value: object) -> Key | None:
    """What two equal ids have in common: 1, "1" and 1.0 differ. None for null, booleans, objects and arrays,
    which are no ids."""
    if type(value) is int:  # no boolean
        return value if value.bit_length() <= _MAX_BITS else _digest("integer", str(value))
    if isinstance(value, str):
        return value if len(value) <= MAX_TEXT else _digest("text", value)
    if isinstance(value, float):
        return ("number", repr(value))
    if isinstance(value, RawNumber):
        return _digest("integer" if value.is_integer else "number", value.text)
    return None


def lenient_keys(key: Key) -> tuple[Key, ...]:
    """The other keys that some client takes for the same id, the likeliest first: 1 for "1", 1.0, "1.0" and "1e0", and
    "1" for 1. Which ids SDKs accept in place of their own is in tests/protocol/answer_lines.json."""
    number = _number_of(key)
    if number is None:
        return ()
    alike: tuple[Key, ...] = (number, str(number), ("number", repr(float(number))), f"{number}.0")
    return tuple(other for other in alike if other != key)


def plain_key(value: object) -> Key | None:
    """Returns the common form of ids that some client or server treats as the same: 1, "1" and 1.0."""
    key = id_key(value)
    number = None if key is None else _number_of(key)
    return key if number is None else number


def _number_of(key: Key) -> int | None:
    """The integer that an id is, or that its text is."""
    if isinstance(key, int):
        return key if abs(key) <= _MAX_LENIENT else None
    text = key[1] if isinstance(key, tuple) else key
    match = _NUMBER.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        return None
    exponent = int(match[2] or 0)
    number, rest = int(match[1]), 0
    if exponent < 0:
        number, rest = divmod(number, 10**-exponent)
    else:
        number *= 10**exponent
    return number if not rest and abs(number) <= _MAX_LENIENT else None


def id_text(value: object) -> str:
    """The id as text, for the record."""
    if isinstance(value, str):
        return bounded(value)
    return bounded(value.text if isinstance(value, RawNumber) else str(value))


def _digest(kind: str, text: str) -> bytes:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16, person=kind.encode()).digest()
