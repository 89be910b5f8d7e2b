"""Masks the personal data and secrets of one JSON value, e.g. a result, in its bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mcpobs.protocol.masks.finder import Finder, MakeMask, keyed
from mcpobs.protocol.masks.leaves import digits_of
from mcpobs.protocol.masks.literal import QUOTE, text_of
from mcpobs.protocol.masks.places import Path, Place, places
from mcpobs.protocol.masks.splices import Splice, spliced, splices_of
from mcpobs.protocol.masks.texts import Datum, masks_with

Where = Literal["content", "structured", "resource", "message", "error", "key"]
MOST_STARTS = 32
_PARTS: dict[object, Where] = {
    "structuredContent": "structured",
    "contents": "resource",
    "messages": "message",
    "error": "error",
}
_PLUMBING = frozenset(("nextCursor", "requestState", "resultType"))
"""Members of a result that the client sends back unchanged."""
_BINARY = frozenset(("data", "blob"))
_HOLD_BINARY = frozenset(("content", "contents", "messages"))


@dataclass(frozen=True, slots=True)
class MaskedKind:
    """The masks of one kind in one part of the value: places and counts, never a value."""

    kind: str
    where: Where
    count: int
    starts: tuple[int, ...]
    """The first offsets, in bytes of the value before."""


@dataclass(frozen=True, slots=True)
class Masked:
    """A value with its masks. `raw` is the same object if nothing was found."""

    raw: bytes
    findings: tuple[MaskedKind, ...]


def masked(raw: bytes, finder: Finder, key: bytes) -> Masked:
    """Masks what `finder` finds in the strings and numbers of a JSON value; every other byte stays.

    A number becomes a string. Base64 of pictures, sounds and blobs, and what a client sends back as it is
    (`nextCursor`), is left alone, and so are member names unless `finder.keys` is set. Raises `ValueError` if `raw` is
    no JSON.
    """
    return masked_with(raw, finder, keyed(key))


def masked_with(raw: bytes, finder: Finder, make: MakeMask) -> Masked:
    """Masks as `masked` does, with masks that `make` returns."""
    found: list[Place] = []
    data: list[Datum] = []
    for place in places(raw):
        datum = None if _is_plumbing(place) or (place.is_key and not finder.keys) else _datum(raw, place)
        if datum is not None:
            found.append(place)
            data.append(datum)
    splices: list[Splice] = []
    starts: dict[tuple[str, Where], list[int]] = {}
    for place, masks in zip(found, masks_with(data, finder, make), strict=True):
        if masks:  # a place is read once, however many masks it has
            made = splices_of(raw, place, (mask[1:] for mask in masks))
            splices += made
            for mask, splice in zip(masks, made, strict=False):
                starts.setdefault((mask.kind, _where(place)), []).append(splice.start)
    if not splices:
        return Masked(raw, ())
    kinds = (
        MaskedKind(kind, where, len(several), tuple(several[:MOST_STARTS])) for (kind, where), several in starts.items()
    )
    return Masked(spliced(raw, splices), tuple(kinds))


def _datum(raw: bytes, place: Place) -> Datum | None:
    if raw[place.start] != QUOTE:
        digits = digits_of(raw, place)
        return None if digits is None else Datum(digits, place.key, is_number=True)
    return Datum(text_of(raw[place.start : place.end]), None if place.is_key else place.key)


def _is_plumbing(place: Place) -> bool:
    first: Path = place.first
    if first[:1] and first[0] in _PLUMBING:
        return True
    return place.key in _BINARY and first[0] in _HOLD_BINARY


def _where(place: Place) -> Where:
    if place.is_key:
        return "key"
    part = _PARTS.get(place.first[0]) if place.first else None
    return part or ("resource" if "resource" in place.first[2:3] else "content")
