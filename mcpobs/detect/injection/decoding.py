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
        if not coding.is_open(data, matched):
            continue
        past = 0
        for count, run in enumerate(_regex(number).finditer(data)):
            if count == MOST_RUNS or left <= 0:
                break
            first, last = run.span()
            if first < past:
                continue
            start, end = max(past, first - coding.around), min(last + coding.around, first + LONGEST_RUN)
            text = coding.decoded(data[start:end], data[first:last])
            if text is not None:
                past = end
                left -= end - start
                yield coding.name, text, start, end


@cache
def _regex(number: int) -> Regex:
    return compiled(CODINGS[number].run or CODINGS[number].gate)
