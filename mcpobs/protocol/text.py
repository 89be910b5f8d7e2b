"""Texts that a peer chose, made fit for a record. Never raises.

One rule for every name of the lake, whoever records it: at most MAX_NAME characters; a longer one becomes its
beginning, `…` and 16 hex digits of its SHA-256, so that two long names stay different. `lake/dialects/names.py` says
the same in SQL.
"""

from __future__ import annotations

import re
from hashlib import sha256

MAX_NAME = 256
MAX_VALUE = 4096
"""Characters of a text in a report: lakes of older versions hold names of any length. A cycle of 8 tools fits."""
ELLIPSIS = "…"
DIGEST_DIGITS = 16
_ROOM = len(ELLIPSIS) + DIGEST_DIGITS
_UNFIT = re.compile(r"[\ud800-\udfff]")


def bounded(text: str, limit: int = MAX_NAME) -> str:
    """At most `limit` characters; lone surrogates, which UTF-8 cannot hold, become U+FFFD. All else stays as it is.
    Bounding twice changes nothing more."""
    if not text.isascii():
        text = _UNFIT.sub("\ufffd", text)
    if len(text) <= limit:
        return text
    if limit <= 2 * _ROOM:  # too short for a digest
        return text[: limit - 1] + ELLIPSIS
    return text[: limit - _ROOM] + ELLIPSIS + sha256(text.encode()).hexdigest()[:DIGEST_DIGITS]


def bounded_or_none(value: object, limit: int = MAX_NAME) -> str | None:
    """The same for a value that may be anything: None where it is no text or an empty one."""
    return bounded(value, limit) if isinstance(value, str) and value else None
