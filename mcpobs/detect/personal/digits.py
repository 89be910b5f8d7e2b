"""Finds runs of digits with separators: the candidates of cards, phone and social security numbers.

What it does: one pass over the text; a run is at least seven digits with at most three separators between two of them.
A run within a word, a decimal number, a UUID or a date is no candidate. If no kind takes the whole run, its parts
between spaces are tried: `2026-05-20 4111 1111 1111 1111`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from mcpobs.detect.personal import card, phone, ssn
from mcpobs.detect.personal.engine import Pattern
from mcpobs.detect.personal.found import Found
from mcpobs.detect.personal.page import Page
from mcpobs.detect.personal.run import Run

KINDS = frozenset(("card", "phone", "ssn"))
_RUN = Pattern(rb"(?:\A|[^0-9A-Za-z_])[0-9](?:[ ./()-]{0,3}[0-9]){6,}")
_CARD_PART = Pattern(rb"[0-9]{4}[ -][0-9]{4}[ -][0-9]{4}[ -][0-9]{4}|[0-9]{4}[ -][0-9]{6}[ -][0-9]{5}")
_SEPARATORS = b" ./()-"
_DATE = bytes.maketrans(b"0123456789", b"dddddddddd")
_MOST_PARTS = 256


class Recogniser(NamedTuple):
    kind: str
    check: Callable[[Page, Run], Found | None]


_RECOGNISERS = (Recogniser("card", card.check), Recogniser("ssn", ssn.check), Recogniser("phone", phone.check))


def find(page: Page, kinds: frozenset[str]) -> Iterator[Found]:
    wanted = tuple(each for each in _RECOGNISERS if each.kind in kinds)
    for start, end in _RUN.spans(page.data):
        start += not 48 <= page.data[start] <= 57  # the byte before
        start = _after_date(page.data, start, end)
        if end - start < 7:
            continue
        run = Run(page.data, start, end)
        if len(run.digits) < 7:
            continue
        found = _taken(page, run, wanted)
        if found is not None:
            yield found
        elif b" " in run.text:
            yield from _in_parts(page, run, wanted)


def _taken(page: Page, run: Run, wanted: tuple[Recogniser, ...]) -> Found | None:
    if not run.stands_alone():
        return None
    for recogniser in wanted:
        found = recogniser.check(page, run)
        if found is not None:
            return found
    return None


def _after_date(data: bytes, start: int, end: int) -> int:
    """Returns where the run goes on after a date (ISO 8601) at its beginning."""
    while end - start >= 10 and data[start : start + 10].translate(_DATE) in (b"dddd-dd-dd", b"dddd/dd/dd"):
        start += 10
        while start < end and data[start] in _SEPARATORS:
            start += 1
    return start


def _in_parts(page: Page, run: Run, wanted: tuple[Recogniser, ...]) -> Iterator[Found]:
    taken = run.start
    for begin, end in _CARD_PART.spans(run.text):
        found = _taken(page, Run(page.data, run.start + begin, run.start + end), wanted)
        if found is not None:
            yield found
            taken = found.end
    at = run.start
    for part in run.text.split(b" ", _MOST_PARTS):
        if len(part) >= 7 and at >= taken:
            plain = part.strip(b" ./()-")
            begin = at + part.index(plain)
            found = _taken(page, Run(page.data, begin, begin + len(plain)), wanted) if plain else None
            if found is not None:
                yield found
        at += len(part) + 1
