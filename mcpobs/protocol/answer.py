"""Reads the members of a response as clients do: what some SDK takes for a result, an error, a code or a flag.

What each client makes of odd answers is in tests/protocol/answer_lines.json, which `make interop` writes.
"""

from __future__ import annotations

from mcpobs.protocol.decode import Opaque, RawNumber

_TRUE = frozenset({"true", "1", "yes", "y", "on", "t"})
_MAX_CODE_CHARACTERS = 20


def is_result(value: object) -> bool:
    """Whether a `result` is one: an object."""
    return isinstance(value, dict) or (isinstance(value, Opaque) and value.raw[:1] == b"{")


def is_error(value: object) -> bool:
    """Whether an `error` is one: an object with a message and an integer as its code. A result beside it is void."""
    if isinstance(value, dict):
        message = value.get("message")
        return isinstance(message, str | Opaque) and _is_code(value.get("code"))
    return isinstance(value, Opaque) and value.raw[:1] == b"{"


def code_of(value: object) -> int | None:
    """The code of an error: an integer, also as 1.0 and "1". None for one beyond 64 bits, too."""
    if isinstance(value, str) and len(value) <= _MAX_CODE_CHARACTERS:
        try:
            value = int(value)
        except ValueError:
            return None
    elif isinstance(value, float) and value.is_integer():
        value = int(value)
    elif isinstance(value, bool):
        return None
    return value if isinstance(value, int) and -1 << 63 <= value < 1 << 63 else None


def _is_code(value: object) -> bool:
    return code_of(value) is not None or isinstance(value, int | RawNumber)


def is_true(value: object) -> bool:
    """Whether `isError` says so: true, 1, and the texts that SDKs in Python read as true."""
    if isinstance(value, str):
        return value.lower() in _TRUE
    return value is True or (isinstance(value, int | float) and value == 1)
