"""Walks over JSON bytes and yields where its strings and numbers lie. Never recurses; each byte is read once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from mcpobs.protocol.envelope import STRING, skip_space
from mcpobs.protocol.masks.literal import text_of

Step = str | int
Path = tuple[Step, ...]
FIRST_STEPS = 4
"""Steps of a path that a place keeps, to name its part of the result."""
_SCALAR = re.compile(rb"-?[0-9][0-9.eE+-]*+|true|false|null")


class Place(NamedTuple):
    """A string, number or member name: data[start:end]."""

    start: int
    end: int
    first: Path
    key: str | None  # the nearest member name above it
    is_key: bool = False


@dataclass(slots=True)
class _Level:
    """An object or array that the walk is in."""

    closer: bytes
    first: Path
    key: str | None
    index: int = -1


def places(data: bytes) -> Iterator[Place]:
    """Yields the strings, numbers and member names in document order. Raises `ValueError` if the data is no JSON."""
    levels: list[_Level] = []
    value = Place(skip_space(data, 0), 0, (), None)
    while True:
        at = value.start
        opener = data[at : at + 1]
        if opener == b"{" or opener == b"[":
            levels.append(_Level(b"}" if opener == b"{" else b"]", value.first, value.key))
            at = skip_space(data, at + 1)
        else:
            end = _scalar_end(data, at)
            if opener not in b"tfn":
                yield value._replace(end=end)
            at = skip_space(data, end)
        following = None
        while levels and following is None:
            level = levels[-1]
            if data[at : at + 1] == level.closer:
                levels.pop()
                at = skip_space(data, at + 1)
                continue
            child, key = _child(data, level, at)
            if key is not None:
                yield key
            following = child
        if following is None:
            break
        value = following
    if at != len(data):
        raise ValueError("the JSON goes on after its end")


def _child(data: bytes, level: _Level, at: int) -> tuple[Place, Place | None]:
    """Returns where the next value of a level begins, and the place of its name in an object."""
    level.index += 1
    if level.index:
        at = _after(data, at, b",")
    name = None
    step: Step = level.index
    key = level.key
    if level.closer == b"}":
        end = _scalar_end(data, at) if data[at : at + 1] == b'"' else None
        if end is None:
            raise ValueError(f"no member name at byte {at}")
        step = key = text_of(data[at:end])
        name = (at, end)
        at = _after(data, skip_space(data, end), b":")
    first = (*level.first, step) if len(level.first) < FIRST_STEPS else level.first
    return Place(at, 0, first, key), Place(*name, first, key, is_key=True) if name is not None else None


def _after(data: bytes, at: int, sign: bytes) -> int:
    if data[at : at + 1] != sign:
        raise ValueError(f"no {sign.decode()!r} at byte {at}")
    return skip_space(data, at + 1)


def _scalar_end(data: bytes, at: int) -> int:
    match = (STRING if data[at : at + 1] == b'"' else _SCALAR).match(data, at)
    if match is None:
        raise ValueError(f"no JSON value at byte {at}")
    return match.end()
