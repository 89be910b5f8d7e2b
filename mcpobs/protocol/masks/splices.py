"""Writes masks into JSON bytes. All other bytes stay."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from mcpobs.protocol.masks.literal import QUOTE, Literal, quoted_part
from mcpobs.protocol.masks.places import Place


class Splice(NamedTuple):
    """data[start:end] becomes `new`."""

    start: int
    end: int
    new: bytes


def splices_of(raw: bytes, place: Place, edits: Iterable[tuple[int, int, str]]) -> list[Splice]:
    """Returns the splices of the edits of one string, or of the first edit of a number."""
    if raw[place.start] != QUOTE:
        return [Splice(place.start, place.end, f'"{quoted_part(text)}"'.encode()) for _, _, text in edits][:1]
    literal = Literal(raw[place.start : place.end])
    return [
        Splice(place.start + literal.byte(start), place.start + literal.byte(end), quoted_part(text).encode())
        for start, end, text in edits
    ]


def spliced(raw: bytes, splices: Sequence[Splice]) -> bytes:
    """Returns the bytes with their splices."""
    parts: list[bytes] = []
    at = 0
    for start, end, new in sorted(splices):
        if start >= at:
            parts += raw[at:start], new
            at = end
    return b"".join((*parts, raw[at:]))
