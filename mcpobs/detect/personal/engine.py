"""Compiles the patterns of recognisers: google-re2 if it is installed, else Python's `re`.

Every pattern is written for both: bytes, no lookaround, no back-reference, no repetition inside a repetition that could
match one text in two ways. RE2 is linear for any text. `re` serves the base install, which only scrubs telemetry texts,
and `scrub` bounds their length (`MAX_TEXT`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from types import ModuleType
from typing import Protocol

re2: ModuleType | None
try:
    import re2
except ImportError:  # the extra `policy` is not installed
    re2 = None

LINEAR = re2 is not None


class _Match(Protocol):
    def span(self) -> tuple[int, int]: ...
    def end(self) -> int: ...


class _Compiled(Protocol):
    def finditer(self, data: bytes, /) -> Iterator[_Match]: ...
    def match(self, data: bytes, /) -> _Match | None: ...
    def fullmatch(self, data: bytes, /) -> _Match | None: ...


class Pattern:
    """One compiled pattern. Compiles at its first use: a process that finds nothing pays nothing."""

    def __init__(self, source: bytes) -> None:
        self.source = source
        self._compiled: _Compiled | None = None

    def spans(self, data: bytes) -> Iterator[tuple[int, int]]:
        """Yields where the pattern matches, from left to right, without overlaps."""
        for match in self._get().finditer(data):
            yield match.span()

    def at(self, data: bytes) -> int | None:
        """Returns the length of the match at the beginning of `data`."""
        match = self._get().match(data)
        return None if match is None else match.end()

    def fills(self, data: bytes) -> bool:
        """Returns whether the pattern matches all of `data`."""
        return self._get().fullmatch(data) is not None

    def _get(self) -> _Compiled:
        if self._compiled is None:
            self._compiled = _compiled(self.source)
        return self._compiled


def _compiled(source: bytes) -> _Compiled:
    if re2 is None:
        return re.compile(source, re.DOTALL)
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1  # bytes as they are: a lone surrogate or broken UTF-8 is no error
    options.dot_nl = True
    options.max_mem = 64 << 20  # below, fresh texts flush the DFA cache
    options.log_errors = False
    compiled: _Compiled = re2.compile(source, options)
    return compiled
