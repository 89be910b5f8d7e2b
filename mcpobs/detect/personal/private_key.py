"""Private keys in PEM and OpenSSH armour.

What it does: takes the block from its first line to its last. A block that has no end is taken as far as it is base64.
Newlines may be written as `\\n`.
Source: RFC 7468; OpenSSH PROTOCOL.key; RFC 4880 6.2 (PGP).
"""

from __future__ import annotations

from collections.abc import Iterator

from mcpobs.detect.personal.engine import Pattern
from mcpobs.detect.personal.found import Found
from mcpobs.detect.personal.page import Page

KINDS = frozenset(("private_key",))
ANCHORS = (b"-----BEGIN ",)
_BEGIN = Pattern(rb"-----BEGIN [A-Z0-9 ]{0,24}PRIVATE KEY(?: BLOCK)?-----")
_END = Pattern(rb"-----END [A-Z0-9 ]{0,24}PRIVATE KEY(?: BLOCK)?-----")
_BODY = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=\\ \r\n\t:,-."
_LONGEST = 32_768
_LONGEST_LINE = 80
_LEAST = 16  # characters of the key; a text about keys shows none


def at(page: Page, start: int, end: int) -> Iterator[Found]:
    """Yields the block that begins at a place."""
    length = _BEGIN.at(page.data[start : start + _LONGEST_LINE])
    if length is None:
        return
    begin = start + length
    rest = page.data[begin : begin + _LONGEST].partition(b"\x00")[0]
    closing = next(_END.spans(rest), None)
    body = rest[: closing[1]] if closing is not None else rest[: len(rest) - len(rest.lstrip(_BODY))].rstrip()
    if len(body) >= _LEAST:
        yield Found("private_key", start, begin + len(body))
