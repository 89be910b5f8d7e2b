"""Replaces personal data and secrets in recorded texts."""

from __future__ import annotations

from mcpobs.detect.personal.found import KINDS
from mcpobs.detect.personal.search import find

MAX_TEXT = 8_192  # characters; no recorded text is longer, and `re` stays fast


def scrub(text: str, kinds: frozenset[str] = KINDS) -> str:
    """Returns the text with every personal datum and secret replaced by `[kind]`, cut after `MAX_TEXT` characters."""
    text = text[:MAX_TEXT]
    parts: list[str] = []
    at = 0
    for kind, start, end in find(text, kinds):
        parts += text[at:start], f"[{kind}]"
        at = end
    return "".join((*parts, text[at:]))
