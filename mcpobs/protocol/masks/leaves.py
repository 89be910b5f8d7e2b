"""Splits texts into leaves, which are searched: JSON inside a text becomes its strings and numbers.

So an escape inside embedded JSON is read, its member names label its values, and a mask is a JSON string again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

import orjson

from mcpobs.protocol.envelope import value_end
from mcpobs.protocol.masks.literal import QUOTE, Literal, quoted_part
from mcpobs.protocol.masks.offsets import Offsets
from mcpobs.protocol.masks.places import Place, places

MOST_DEPTH = 3
"""Levels of JSON inside JSON. Anything deeper is plain text."""
_MOST_FAILURES = 8  # beginnings that look like JSON and are none
_OPENING = re.compile(rb'\{(?=[ \t\r\n]{0,64}")|(?:\A|\n)[ \t]{0,64}\[', re.ASCII)
_ERRORS = "surrogatepass"
_DIGITS = re.compile(rb"([0-9]{7,40})(?:\.0{1,9})?")
"""Of a number that may be a datum."""

Span = tuple[int, int, str]
Lift = Callable[[int, int, str], Span]
"""Turns a mask at characters of a leaf into the mask at characters of the text that it was taken from."""


class Leaf(NamedTuple):
    """One text to search. A mask in a number takes its place as a whole."""

    text: str
    key: str | None
    lift: Lift
    is_number: bool = False


def leaves(text: str, key: str | None, depth: int = 0) -> Iterator[Leaf]:
    """Yields the texts to search within a text: itself, or its embedded JSON and the rest."""
    at = 0
    for start, end in _documents(text) if depth < MOST_DEPTH else ():
        inner = list(_document_leaves(text[start:end], key, depth + 1))
        if start > at:
            yield Leaf(text[at:start], key, _shifted(at))
        yield from (leaf._replace(lift=_chained(leaf.lift, _shifted(start))) for leaf in inner)
        at = end
    if at == 0:
        yield Leaf(text, key, _same)
    elif at < len(text):
        yield Leaf(text[at:], key, _shifted(at))


def whole(text: str, key: str | None, is_number: bool = False) -> Leaf:
    """Returns a text as its only leaf."""
    return Leaf(text, key, _same, is_number)


def digits_of(data: bytes, place: Place) -> str | None:
    """Returns the digits of a number that may be a datum, also of `4155550123.0`."""
    found = _DIGITS.fullmatch(data, place.start, place.end)
    return None if found is None else found[1].decode()


def _document_leaves(document: str, key: str | None, depth: int) -> Iterator[Leaf]:
    """Yields the texts within embedded JSON, lifted to characters of the document."""
    data = document.encode("utf-8", _ERRORS)
    offsets = Offsets(document, _ERRORS)
    for place in places(data):
        lift = _in_document(data, offsets, place)
        if data[place.start] != QUOTE:
            digits = digits_of(data, place)
            if digits is not None:
                yield Leaf(digits, place.key or key, lift, is_number=True)
        elif place.is_key:
            yield Leaf(Literal(data[place.start : place.end]).text, None, lift)
        else:
            for leaf in leaves(Literal(data[place.start : place.end]).text, place.key or key, depth):
                yield leaf._replace(lift=_chained(leaf.lift, lift))


def _in_document(data: bytes, offsets: Offsets, place: Place) -> Lift:
    if data[place.start] != QUOTE:
        begin, end = offsets.character(place.start), offsets.character(place.end)
        return lambda _start, _end, mask: (begin, end, f'"{quoted_part(mask)}"')
    literal = Literal(data[place.start : place.end])
    return lambda start, end, mask: (
        offsets.character(place.start + literal.byte(start)),
        offsets.character(place.start + literal.byte(end)),
        quoted_part(mask),
    )


def _documents(text: str) -> list[tuple[int, int]]:
    """Returns where JSON objects and arrays lie in a text: all of it, or an object, or an array that begins a line."""
    if "{" not in text and "[" not in text:
        return []
    data = text.encode("utf-8", _ERRORS)
    offsets = Offsets(text, _ERRORS)
    found: list[tuple[int, int]] = []
    at = failures = 0
    while failures < _MOST_FAILURES and (match := _OPENING.search(data, at)) is not None:
        start = match.end() - 1
        end = value_end(data, start)
        if end is None or not _is_json(data[start:end]):
            failures += 1
            at = start + 1
            continue
        found.append((offsets.character(start), offsets.character(end)))
        at = end
    return found


def _is_json(data: bytes) -> bool:
    try:
        orjson.loads(data)
    except ValueError:
        return False
    return True


def _same(start: int, end: int, mask: str) -> Span:
    return start, end, mask


def _shifted(by: int) -> Lift:
    return lambda start, end, mask: (start + by, end + by, mask)


def _chained(inner: Lift, outer: Lift) -> Lift:
    return lambda start, end, mask: outer(*inner(start, end, mask))
