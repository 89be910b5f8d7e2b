"""Owns the environment that the client gave to this process, byte for byte. A server that mcpobs starts gets it.

`os.environ` differs from it: the launcher (`mcpobs.sh`) removes variables that would change our interpreter, a shell
adds some, and Python sets LC_CTYPE in the C locale.
"""

from __future__ import annotations

import os
from binascii import a2b_base64

VARIABLE = "MCPOBS_INHERITED"
"""The client's environment in base64, as the launcher saw it."""


def _read() -> dict[bytes, bytes]:
    encoded = os.environ.pop(VARIABLE, None)
    try:
        if encoded:
            return _parsed(a2b_base64(encoded))
        with open("/proc/self/environ", "rb") as file:
            return _parsed(file.read())
    except (OSError, ValueError):
        return dict(os.environb)


def _parsed(block: bytes) -> dict[bytes, bytes]:
    """Returns the variables of an environment block. A name counts at its first place, as for getenv(3)."""
    found: dict[bytes, bytes] = {}
    for entry in block.split(b"\0"):
        name, equals, value = entry.partition(b"=")
        if equals:
            found.setdefault(name, value)
    return found


_environment = _read()


def environment() -> dict[bytes, bytes]:
    """Returns the environment for a server."""
    return dict(_environment)


def variables() -> dict[str, str]:
    """Returns the environment for a server as text, with the bytes that are not UTF-8 as surrogates."""
    return {os.fsdecode(name): os.fsdecode(value) for name, value in _environment.items()}
