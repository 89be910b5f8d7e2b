"""Runs the recognisers over one text and settles which of two overlapping findings stays."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from mcpobs.detect.personal import digits, email, iban, ip, secrets
from mcpobs.detect.personal.engine import Pattern
from mcpobs.detect.personal.fields import Fields, kind_of
from mcpobs.detect.personal.found import KINDS, Found
from mcpobs.detect.personal.page import Entry, Page


class Recogniser(NamedTuple):
    kinds: frozenset[str]
    find: Callable[[Page, frozenset[str]], Iterator[Found]]


# A finding of an earlier one stays if two overlap.
_RECOGNISERS = tuple(Recogniser(module.KINDS, module.find) for module in (secrets, iban, email, ip, digits))
_MASK = Pattern(rb"\[[a-z_]{2,24}:[0-9a-f]{8}\]")


def find(text: str, kinds: frozenset[str] = KINDS, key: str | None = None, fields: Fields | None = None) -> list[Found]:
    """Returns the personal data and secrets of a text by their place, without overlaps.

    `key` is the name of the JSON member that the text is the value of. Offsets count characters. A mask that stands in
    place of a datum is no finding.
    """
    return find_each((Entry(text, key),), kinds, fields)[0]


def find_each(
    entries: Sequence[Entry], kinds: frozenset[str] = KINDS, fields: Fields | None = None
) -> list[list[Found]]:
    """Returns what `find` returns for each of several texts, in one pass."""
    page = Page(entries)
    several: list[list[Found]] = [[] for _ in entries]
    for each in _settled(_found(page, kinds), _masks(page.data)):
        number = page.number(each.start)
        start = page.starts[number]
        several[number].append(Found(each.kind, each.start - start, each.end - start))
    for number, entry in enumerate(entries):
        whole = kind_of(entry.key, entry.text, kinds, fields) if entry.key else None
        if whole is not None:
            several[number] = _whole(whole, entry.text, several[number])
        elif several[number] and not entry.text.isascii():
            several[number] = _in_characters(page.data[page.starts[number] : page.end(number)], several[number])
    return several


def _whole(kind: str, text: str, found: list[Found]) -> list[Found]:
    """Returns the finding that takes a whole text, unless it is a mask. A secret with a form of its own keeps it."""
    if text.startswith("[") and _MASK.fills(text.encode("utf-8", "replace")):
        return []
    if len(found) == 1 and found[0].start == 0 and found[0].end == len(text):
        return found
    return [Found(kind, 0, len(text))]


def _found(page: Page, kinds: frozenset[str]) -> Iterator[Found]:
    for recogniser in _RECOGNISERS:
        if not recogniser.kinds.isdisjoint(kinds):
            yield from recogniser.find(page, kinds)


def _masks(data: bytes) -> list[tuple[int, int]]:
    return list(_MASK.spans(data)) if b"[" in data else []


def _settled(found: Iterable[Found], masks: list[tuple[int, int]]) -> list[Found]:
    """Returns the findings that overlap neither a mask nor an earlier finding, sorted by their place."""
    ranked = [(Found("", *mask), -1) for mask in masks]
    ranked += [(each, rank) for rank, each in enumerate(found)]
    if len(ranked) < 2:
        return [each for each, rank in ranked if rank >= 0]
    ranked.sort(key=lambda pair: (pair[0].start, pair[1]))
    kept: list[tuple[Found, int]] = []
    for each, rank in ranked:
        if kept and each.start < kept[-1][0].end:
            if rank < kept[-1][1]:
                kept[-1] = each, rank
            continue
        kept.append((each, rank))
    return [each for each, rank in kept if rank >= 0]


def _in_characters(data: bytes, found: list[Found]) -> list[Found]:
    """Returns the findings with offsets in characters instead of bytes."""
    at, characters = 0, 0
    counted: list[Found] = []
    for kind, start, end in found:
        characters += len(data[at:start].decode("utf-8", "replace"))
        begin = characters
        characters += len(data[start:end].decode("utf-8", "replace"))
        counted.append(Found(kind, begin, characters))
        at = end
    return counted
