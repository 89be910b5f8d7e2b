"""Holds the settings of masks: the kinds to find, the names of fields, and the key of the hashes."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass, field

from mcpobs.detect.personal import KINDS, Fields
from mcpobs.protocol.masks.canonical import canonical

_HASH_DIGITS = 8
MakeMask = Callable[[str, str], str]
"""Returns the mask of a value of a kind."""


@dataclass(frozen=True, slots=True)
class Finder:
    """What is searched for."""

    kinds: frozenset[str] = KINDS
    fields: Fields | None = field(default=None, compare=False)
    """Names of fields besides the default ones."""
    keys: bool = False
    """Member names are searched and masked, too."""


def keyed(key: bytes) -> MakeMask:
    """Returns the maker of `[kind:hash]`. Values with the same canonical form have the same hash. Without the key a
    hash reveals nothing about the value (HMAC-SHA256, 32 bits of it)."""

    def mask(kind: str, value: str) -> str:
        digest = hmac.digest(key, f"{kind}:{canonical(kind, value)}".encode("utf-8", "replace"), "sha256")
        return f"[{kind}:{digest.hex()[:_HASH_DIGITS]}]"

    return mask
