"""Undoes codings whose gates are open. Bounded in number and size, one level deep."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import cache

from mcpobs.detect.injection.codings import CODINGS
from mcpobs.detect.injection.regex import Regex, compiled

MOST_RUNS = 48
"""Runs of one coding that are looked at in one text."""

LONGEST_RUN = 16 << 10
MOST_DECODED = 128 << 10
"""Bytes of one text that are decoded, in all codings together."""


def decoded(data: bytes, matched: Collection[str]) -> Iterator[tuple[str, str, int, int]]:
    """Yields the name of the coding, the clear text and the place of the coded one."""
    left = MOST_DECODED
    for number, coding in enumerate(CODINGS):
        if not coding.is_open(data, matched) or not _holds(number, data):
            continue
        past = 0
        for count, (first, last) in enumerate(_runs(number, data)):
            if count == MOST_RUNS or left <= 0:
                break
            if first < past:
                continue
            start, end = max(past, first - coding.around), min(last + coding.around, first + LONGEST_RUN)
            text = coding.decoded(data[start:end], data[first:last])
            if text is not None:
                past = end
                left -= end - start
                yield coding.name, text, start, end


def _holds(number: int, data: bytes) -> bool:
    """Whether a text that may hold the gate does, if its runs do not say so."""
    coding = CODINGS[number]
    return coding.implied or not coding.run or _gate(number).search(data) is not None


@cache
def _gate(number: int) -> Regex:
    return compiled(CODINGS[number].gate)


def _runs(number: int, data: bytes) -> Iterator[tuple[int, int]]:
    """Yields the runs of a coding, in the order of the text."""
    if (begins := CODINGS[number].begins) is None:
        yield from (run.span() for run in _regex(number).finditer(data))
        return
    marked, first = data.translate(_marks(begins[0])), b"x" * begins[1]
    at = marked.find(first)
    while at >= 0:
        end = marked.find(b" ", at)
        if data[end : end + 1] in GOES_ON:  # also the end of the text
            run = _regex(number).match(data, at)
            end = run.span()[1] if run else len(data)
        yield at, end
        at = marked.find(first, end)


GOES_ON = b" \t\n\f\r="
"""After other bytes that do not begin a run, the run ends."""


@cache
def _marks(some: bytes) -> bytes:
    """Returns a table that replaces these bytes by x, and all others by a blank."""
    return bytes(ord("x") if byte in some else ord(" ") for byte in range(256))


@cache
def _regex(number: int) -> Regex:
    return compiled(CODINGS[number].run or CODINGS[number].gate)
