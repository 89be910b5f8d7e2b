"""Takes personal data and secrets out of recorded texts: `[kind]` in their place. JSON stays valid."""

from __future__ import annotations

from mcpobs.detect.personal import KINDS
from mcpobs.protocol.masks.finder import Finder, MakeMask
from mcpobs.protocol.masks.leaves import leaves
from mcpobs.protocol.masks.masked import masked_with
from mcpobs.protocol.masks.texts import masks_of_leaves

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
    found = masks_of_leaves(list(leaves(text, None)), _EVERYTHING, make or _kind)
    if not any(found):
        return text
    parts: list[str] = []
    at = 0
    for mask in sorted((mask for masks in found for mask in masks), key=lambda one: one.start):
        parts += text[at : mask.start], mask.text
        at = mask.end
    return "".join((*parts, text[at:]))


def _kind(kind: str, value: str) -> str:
    return f"[{kind}]"
