"""Decides which places of texts are masked, and makes the masks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from mcpobs.detect.personal import Entry, Found, find_each
from mcpobs.detect.personal.fields import DEFAULT_FIELDS
from mcpobs.detect.personal.fields import KINDS as FIELD_KINDS
from mcpobs.protocol.masks.finder import Finder, MakeMask
from mcpobs.protocol.masks.leaves import Leaf, leaves, whole
from mcpobs.protocol.masks.repeats import Repeats, Value

_NUMBER = re.compile(r"-?[0-9]++(?:\.[0-9]++)?")


class Mask(NamedTuple):
    """A place in a text, in characters, and its new text."""

    kind: str
    start: int
    end: int
    text: str


class Datum(NamedTuple):
    """A text of a message, or a number in its digits."""

    text: str
    key: str | None = None
    is_number: bool = False


def masks_with(data: Sequence[Datum], finder: Finder, make: MakeMask) -> list[list[Mask]]:
    """Returns the masks of each of the texts of one message, as `make` makes them.

    JSON within a text stays JSON. A value that is found in one text is masked in all, so that `content` and
    `structuredContent` are masked alike, whichever of the two has the label. A number is masked by a mask of the whole.
    Most JSON within texts is searched as it is written, because taking it apart costs ten times as much.
    """
    found = find_each([Entry(_softened(datum.text), datum.key) for datum in data], finder.kinds, finder.fields)
    hiding = [_hides(datum.text, several, finder) for datum, several in zip(data, found, strict=True)]
    masks: list[list[Mask]] = [[] for _ in data]
    if not any(hiding) and not any(found):
        return masks
    owners, parts, known = _parts(data, found, hiding, finder)
    repeats = Repeats(
        Value(each.kind, leaf.text[each.start : each.end])
        for leaf, several in zip(parts, known, strict=True)
        for each in several
    )
    for number, leaf, several in zip(owners, parts, known, strict=True):
        masks[number] += [_mask(leaf, each, make) for each in _with_repeats(several, repeats, leaf.text)]
    return masks


def _parts(
    data: Sequence[Datum], found: list[list[Found]], hiding: list[bool], finder: Finder
) -> tuple[list[int], list[Leaf], list[list[Found]]]:
    """Returns the leaves of all texts: which text each is of, and what is found in it."""
    owners: list[int] = []
    parts: list[Leaf] = []
    for number, datum in enumerate(data):
        taken = leaves(datum.text, datum.key) if hiding[number] else (whole(*datum),)
        for leaf in taken:
            owners.append(number)
            parts.append(leaf)
    inner = [leaf for number, leaf in zip(owners, parts, strict=True) if hiding[number]]
    searched = iter(find_each([Entry(leaf.text, leaf.key) for leaf in inner], finder.kinds, finder.fields))
    known = [next(searched) if hiding[number] else found[number] for number in owners]
    return owners, parts, known


def _softened(text: str) -> str:
    """Returns a text with spaces for the escapes of JSON within it, so that no letter of them touches a datum."""
    if "\\" not in text:
        return text
    for escape in ("\\n", "\\r", "\\t", '\\"'):
        text = text.replace(escape, "  ")
    return text


def _hides(text: str, found: list[Found], finder: Finder) -> bool:
    """Returns whether JSON within a text must be split into leaves: it has characters as numbers, a member whose name
    labels its value, or a datum that is a number."""
    if "{" not in text and "[" not in text:
        return False
    if "\\u" in text or "\\/" in text or any(_is_number(text, each) for each in found):
        return True
    return not finder.kinds.isdisjoint(FIELD_KINDS) and (finder.fields or DEFAULT_FIELDS).are_in(text)


def _is_number(text: str, found: Found) -> bool:
    if _NUMBER.fullmatch(text, found.start, found.end) is None:
        return False
    before, after = text[max(0, found.start - 16) : found.start].rstrip(), text[found.end : found.end + 16].lstrip()
    return before[-1:] in ("[", ",", ":") and after[:1] in (",", "]", "}")


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
    if leaf.text[max(0, found.start - 3) : found.start] == "://" or leaf.text[found.start - 1 : found.start] == "@":
        text = text.strip("[]").replace(":", "-")  # brackets in a URL's host are an IPv6 address: clients refuse others
    if not leaf.is_number and _is_bare_number(leaf.text, found):
        text = f'"{text}"'
    return Mask(found.kind, *leaf.lift(found.start, found.end, text))


def _is_bare_number(text: str, found: Found) -> bool:
    """Returns whether a finding is the number of a JSON member within a text that is no JSON as a whole."""
    if _NUMBER.fullmatch(text, found.start, found.end) is None:
        return False
    before = text[max(0, found.start - 16) : found.start].rstrip()
    after = text[found.end : found.end + 1]
    return before.endswith(":") and before[:-1].rstrip().endswith('"') and (not after or after in " \t\r\n,}]")
