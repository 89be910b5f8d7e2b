"""Decides which places of texts are masked, and with what."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from mcpobs.detect.personal import Entry, Found, find_each
from mcpobs.protocol.masks.finder import Finder, MakeMask, keyed
from mcpobs.protocol.masks.leaves import Leaf, leaves
from mcpobs.protocol.masks.repeats import Repeats, Value


class Mask(NamedTuple):
    """A place in a text, in characters, and what stands there from now on."""

    kind: str
    start: int
    end: int
    text: str


def masks_of(entries: Sequence[Entry], finder: Finder, key: bytes) -> list[list[Mask]]:
    """Returns the masks of each of the texts of one message.

    JSON within a text stays JSON. A value that is found in one text is masked in all, so that `content` and
    `structuredContent` are masked alike, whichever of the two has the label. An entry whose text is a number is masked
    by a mask of the whole text.
    """
    owners: list[int] = []
    parts: list[Leaf] = []
    for number, entry in enumerate(entries):
        for leaf in leaves(entry.text, entry.key):
            owners.append(number)
            parts.append(leaf)
    masks: list[list[Mask]] = [[] for _ in entries]
    for number, found in zip(owners, masks_of_leaves(parts, finder, keyed(key)), strict=True):
        masks[number] += found
    return masks


def masks_of_leaves(parts: Sequence[Leaf], finder: Finder, make: MakeMask) -> list[list[Mask]]:
    """Returns the masks of each leaf, lifted to the text that it was taken from."""
    found = find_each([Entry(leaf.text, leaf.key) for leaf in parts], finder.kinds, finder.fields)
    if not any(found):
        return [[] for _ in parts]
    repeats = Repeats(
        Value(each.kind, leaf.text[each.start : each.end])
        for leaf, several in zip(parts, found, strict=True)
        for each in several
    )
    return [
        [_mask(leaf, each, make) for each in _with_repeats(several, repeats, leaf.text)]
        for leaf, several in zip(parts, found, strict=True)
    ]


def _with_repeats(found: list[Found], repeats: Repeats, text: str) -> list[Found]:
    """Returns the findings and the repeated values that overlap none of them, by their place."""
    merged = list(found)
    for kind, start, end in repeats.within(text):
        merged.append(Found(kind, start, end))
    return _disjoint(merged)


def _disjoint(found: Iterable[Found]) -> list[Found]:
    """Returns findings by their place; of those that overlap the first and longest stays."""
    kept: list[Found] = []
    for each in sorted(found, key=lambda one: (one.start, -one.end)):
        if not kept or each.start >= kept[-1].end:
            kept.append(each)
    return kept


def _mask(leaf: Leaf, found: Found, make: MakeMask) -> Mask:
    text = make(found.kind, leaf.text[found.start : found.end])
    if not leaf.is_number and _is_bare_number(leaf.text, found):
        text = f'"{text}"'
    return Mask(found.kind, *leaf.lift(found.start, found.end, text))


def _is_bare_number(text: str, found: Found) -> bool:
    """Returns whether a finding is the number of a JSON member within a text that is no JSON as a whole."""
    if not text[found.start : found.end].isdigit():
        return False
    before = text[max(0, found.start - 16) : found.start].rstrip()
    after = text[found.end : found.end + 1]
    return before.endswith(":") and before[:-1].rstrip().endswith('"') and (not after or after in " \t\r\n,}]")
