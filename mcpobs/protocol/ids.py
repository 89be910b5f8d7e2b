"""JSON-RPC ids as keys that pair: by type and value, bounded in memory."""

from __future__ import annotations

from hashlib import blake2b

from mcpobs.protocol.decode import RawNumber
from mcpobs.protocol.text import bounded

Key = int | str | tuple[str, str] | bytes

MAX_TEXT = 128  # of an id that is its own key
_MAX_BITS = 256


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


def id_text(value: object) -> str:
    """The id as text, for the record."""
    if isinstance(value, str):
        return bounded(value)
    return bounded(value.text if isinstance(value, RawNumber) else str(value))


def _digest(kind: str, text: str) -> bytes:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16, person=kind.encode()).digest()
