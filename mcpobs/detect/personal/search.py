"""Runs the recognisers over one text and settles which of two overlapping findings stays."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from mcpobs.detect.personal import digits, email, iban, ip, jwt, password, private_key, tokens
from mcpobs.detect.personal.engine import Pattern
from mcpobs.detect.personal.fields import Fields, kind_of
from mcpobs.detect.personal.found import KINDS, Found
from mcpobs.detect.personal.page import Page


class Recogniser(NamedTuple):
    kinds: frozenset[str]
    find: Callable[[Page, frozenset[str]], Iterator[Found]]


# A finding of an earlier one stays if two overlap.
_RECOGNISERS = tuple(
    Recogniser(module.KINDS, module.find) for module in (private_key, jwt, tokens, password, iban, email, ip, digits)
)
_MASK = Pattern(rb"\[[a-z_]{2,24}:[0-9a-f]{8}\]")


def find(text: str, kinds: frozenset[str] = KINDS, key: str | None = None, fields: Fields | None = None) -> list[Found]:
    """Returns the personal data and secrets of a text by their place, without overlaps.

    `key` is the name of the JSON member that the text is the value of. Offsets count characters. A mask that `masked`
    has put into a text is no finding.
    """
    whole = kind_of(key, text, kinds, fields)
    data = text.encode("utf-8", "replace")  # a lone surrogate becomes one byte, so that it counts one
    found = _settled(_found(Page(data, key), kinds), _masks(data))
    if whole is not None and not _is_mask(data):
        return [each for each in found if each.kind == "private_key"] or [Found(whole, 0, len(text))]
    return found if len(data) == len(text) else _in_characters(data, found)


def _found(page: Page, kinds: frozenset[str]) -> Iterator[Found]:
    for recogniser in _RECOGNISERS:
        if not recogniser.kinds.isdisjoint(kinds):
            yield from recogniser.find(page, kinds)


def _masks(data: bytes) -> list[tuple[int, int]]:
    return list(_MASK.spans(data)) if b"[" in data else []


def _is_mask(data: bytes) -> bool:
    return data[:1] == b"[" and _MASK.fills(data)


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
