"""JSON web tokens.

What it does: takes three parts of base64url whose first is the JSON of a header with `alg`. The signature may be empty.
Source: RFC 7519 3, RFC 7515 4.1.1 (`alg` is required).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator

from mcpobs.detect.personal.engine import Pattern
from mcpobs.detect.personal.found import Found
from mcpobs.detect.personal.page import Page

KINDS = frozenset(("jwt",))
ANCHORS = (b"eyJ",)
_JWT = Pattern(rb"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]*")
_LONGEST = 16_384
_MOST_HEADER = 2_048


def at(page: Page, start: int, end: int) -> Iterator[Found]:
    """Yields the token that begins at a place."""
    data = page.data
    if data[start:end] != b"eyJ" or data[max(0, start - 1) : start].isalnum():
        return
    length = _JWT.at(data[start : start + _LONGEST])
    if length is not None and _has_algorithm(data[start : start + _MOST_HEADER].partition(b".")[0]):
        yield Found("jwt", start, start + length)


def _has_algorithm(header: bytes) -> bool:
    try:
        return b'"alg"' in base64.urlsafe_b64decode(header + b"=" * (-len(header) % 4))
    except (binascii.Error, ValueError):
        return False
