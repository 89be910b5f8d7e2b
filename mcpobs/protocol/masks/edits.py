"""Writes masks into JSON bytes at places that paths and characters name. All other bytes stay."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from mcpobs.protocol.masks.literal import Literal, quoted_part
from mcpobs.protocol.masks.places import Path, Place, Tree, places


class Edit(NamedTuple):
    """A place in a text, and what stands there from now on."""

    at: Path
    """The path from the root, e.g. `("result", "content", 0, "text")`; of a member's name, to the member."""
    start: int
    """In characters of the text."""
    end: int | None
    """None: the end of the text."""
    text: str
    is_key: bool = False


class Splice(NamedTuple):
    """data[start:end] becomes `new`."""

    start: int
    end: int
    new: bytes


def edited(raw: bytes, edits: Iterable[Edit]) -> bytes:
    """Returns the JSON with its edits. An edit of a number makes it a string; of a value that is neither string nor
    number, or that the JSON does not have, it does nothing. Of edits that overlap the first in the text counts, up to
    its end. Raises `ValueError` if `raw` is no JSON."""
    tree = Tree()
    wanted: dict[tuple[int, bool], list[Edit]] = {}
    for edit in edits:
        wanted.setdefault((id(tree.add(edit.at)), edit.is_key), []).append(edit)
    splices: list[Splice] = []
    for place in places(raw, tree):
        here = wanted.get((id(place.tree), place.is_key))
        if here is not None:
            splices += splices_of(raw, place, ((edit.start, edit.end, edit.text) for edit in here))
    return spliced(raw, splices)


def splices_of(raw: bytes, place: Place, edits: Iterable[tuple[int, int | None, str]]) -> list[Splice]:
    """Returns the splices of the edits of one string, or of the first edit of a number."""
    if raw[place.start] != 34:
        return [Splice(place.start, place.end, f'"{quoted_part(text)}"'.encode()) for _, _, text in edits][:1]
    literal = Literal(raw[place.start : place.end])
    length = len(literal.text)
    return [
        Splice(
            place.start + literal.byte(min(start, length)),
            place.start + literal.byte(length if end is None else min(end, length)),
            quoted_part(text).encode("utf-8", "replace"),
        )
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
