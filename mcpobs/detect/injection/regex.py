"""Compiles expressions with RE2: linear time, whatever the expression and the text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import re2

MAX_MEMORY_BYTES = 32 << 20
"""States that one expression, or one set, may keep. Texts build them; they are discarded when this is full."""


class Match(Protocol):
    def span(self) -> tuple[int, int]: ...


class Regex(Protocol):
    def search(self, text: bytes, pos: int = ..., endpos: int = ...) -> Match | None: ...

    def match(self, text: bytes, pos: int = ..., endpos: int = ...) -> Match | None: ...

    def finditer(self, text: bytes, pos: int = ..., endpos: int = ...) -> Iterator[Match]: ...


def compiled(regex: str) -> Regex:
    made: Regex = re2.compile(regex, _options())  # type: ignore[no-untyped-call]  # the package has no hints
    return made


def compiled_set(regexes: Sequence[str]) -> re2.Set:
    made: re2.Set = re2.Set.SearchSet(_options())  # type: ignore[no-untyped-call]  # the package has no hints
    for regex in regexes:
        made.Add(regex)  # type: ignore[no-untyped-call]
    made.Compile()  # type: ignore[no-untyped-call]
    return made


def _options() -> re2.Options:
    options = re2.Options()
    options.case_sensitive = False
    options.max_mem = MAX_MEMORY_BYTES
    options.log_errors = False
    return options
