"""Finds secrets: one pass for the words and prefixes that they begin with, then the recogniser of each."""

from __future__ import annotations

from collections.abc import Iterator

from mcpobs.detect.personal import jwt, password, private_key, tokens
from mcpobs.detect.personal.engine import Pattern
from mcpobs.detect.personal.found import Found
from mcpobs.detect.personal.page import Page

KINDS = private_key.KINDS | jwt.KINDS | tokens.KINDS | password.KINDS
_RECOGNISERS = (private_key, jwt, tokens, password)
_ANCHOR = Pattern(b"(?i)" + b"|".join(anchor for module in _RECOGNISERS for anchor in module.ANCHORS))
_FIRST = {
    b"-----begin ": private_key,
    b"eyj": jwt,
    **{prefix.lower(): tokens for prefix in (*(token.prefix for token in tokens.TOKENS), b":AA")},
}
_HEX_KEYS = (b"AC", b"SK")


def find(page: Page, kinds: frozenset[str]) -> Iterator[Found]:
    """Yields secrets, those with a form of their own before those that only a label names."""
    data = page.data
    labelled: list[Found] = []
    taken = 0
    for start, end in _ANCHOR.spans(data):
        if start < taken:
            continue
        anchor = data[start:end].lower()
        module = _FIRST.get(anchor, password)
        if module is password and data[start : start + 2] in _HEX_KEYS and not anchor.endswith(b"key"):
            module = tokens
        if module is password and labelled and start < labelled[-1].end:
            continue  # within a value that is found already
        wanted = [found for found in module.at(page, start, end) if found.kind in kinds]
        if module is password:
            labelled += wanted
        elif wanted:
            taken = wanted[-1].end
            yield from wanted
    yield from labelled
