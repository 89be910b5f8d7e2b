"""Replaces personal data and secrets in recorded texts by `[kind]`. JSON stays valid."""

from __future__ import annotations

from mcpobs.detect.personal import KINDS
from mcpobs.protocol.masks.finder import Finder, MakeMask
from mcpobs.protocol.masks.masked import masked_with
from mcpobs.protocol.masks.texts import Datum, masks_with

_EVERYTHING = Finder(KINDS)


def scrubbed_json(text: str, make: MakeMask | None = None) -> str:
    """Returns the JSON text with its strings scrubbed; the same object if nothing is found. A text that is no JSON is
    scrubbed as a plain one. `make` makes other masks than `[kind]`."""
    raw = text.encode("utf-8", "replace")
    try:
        result = masked_with(raw, _EVERYTHING, make or _kind)
    except ValueError:
        return scrubbed_text(text, make)
    return text if result.raw is raw else result.raw.decode("utf-8", "replace")


def scrubbed_text(text: str, make: MakeMask | None = None) -> str:
    """Returns the text, or JSON within it, scrubbed; the same object if nothing is found."""
    [masks] = masks_with([Datum(text)], _EVERYTHING, make or _kind)
    if not masks:
        return text
    parts: list[str] = []
    at = 0
    for mask in sorted(masks, key=lambda one: one.start):
        parts += text[at : mask.start], mask.text
        at = mask.end
    return "".join((*parts, text[at:]))


def _kind(kind: str, value: str) -> str:
    return f"[{kind}]"
