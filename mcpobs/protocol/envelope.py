"""Finds where the parts of a JSON object or array lie in its bytes. Recurses never, decodes only member names.

It serves two ends: to splice a frame without touching its other bytes, and to read the outside of a frame whose
inside no parser takes (nested too deep). It checks the structure that it walks over; the inside of a value that
it skips is only checked for balanced brackets and closed strings.
"""

from __future__ import annotations

import json
import re
from typing import NamedTuple

MAX_PARTS = 10_000  # members or elements of one object or array; more are no JSON-RPC

# Possessive throughout: linear, and no memory a character.
SPACE = re.compile(rb"[ \t\n\r]*+")
STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_SCALAR = re.compile(rb"-?[0-9]++(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?|true|false|null|NaN|-?Infinity")
_TEXT = rb'[^"\[\]{}]++|"(?:[^"\\]++|\\.)*+"'
_FLAT = rb"(?:\[(?:%b)*+\]|\{(?:%b)*+\})" % (_TEXT, _TEXT)  # a container that holds no other
_TWO_DEEP = rb"(?:\[(?:%b|%b)*+\]|\{(?:%b|%b)*+\})" % (_TEXT, _FLAT, _TEXT, _FLAT)
NESTED = rb"(?:\[(?:%b|%b)*+\]|\{(?:%b|%b)*+\})" % (_TEXT, _TWO_DEEP, _TEXT, _TWO_DEEP)
"""A container at most three deep, for a pattern with DOTALL."""
# In one token: all that needs no thought, or a run of brackets, or a quote that is never closed.
_TOKEN = re.compile(rb'(?:%b|%b)++|[\[{]++|[\]}]++|"' % (_TEXT, _FLAT), re.DOTALL)
_FLAT_CONTAINER = re.compile(_FLAT, re.DOTALL)
_CLOSERS = bytes.maketrans(b"[{", b"]}")

_QUOTE = ord(b'"')
_OPENERS = b"[{"
_CLOSING = b"]}"


class Member(NamedTuple):
    """One member of an object; its value is data[start:end]."""

    name: str
    start: int
    end: int


def skip_space(data: bytes, at: int) -> int:
    match = SPACE.match(data, at)
    return match.end() if match else at


def value_end(data: bytes, at: int) -> int | None:
    """Where the value ends that begins at `at`; None where none does, or it is not closed."""
    first = data[at : at + 1]
    if first and first in _OPENERS:
        return _container_end(data, at)
    match = (STRING if first == b'"' else _SCALAR).match(data, at)
    return match.end() if match else None


class Members(NamedTuple):
    """The members of an object in their order, doubles too, and where the object ends."""

    items: list[Member]
    end: int
    cut: tuple[str, int] | None = None  # the name and the start of the value at which the data ends


def members(data: bytes, at: int, whole: bool = True) -> Members | None:
    """The members of the object that begins at `at`; None where it is damaged. With `whole` False the data may end
    within the object, which then has the members before that."""
    found: list[Member] = []
    at = skip_space(data, at + 1)
    if data[at : at + 1] == b"}":
        return Members(found, at + 1)
    while len(found) < MAX_PARTS:
        match = STRING.match(data, at)
        name = _name(match.group()) if match else None
        if match is None or name is None:
            return None if whole else Members(found, at)
        at = skip_space(data, match.end())
        if data[at : at + 1] != b":":
            return None
        start = skip_space(data, at + 1)
        end = value_end(data, start)
        if not whole and (end is None or end == len(data)):  # a number may go on
            return Members(found, start, (name, start))
        if end is None:
            return None
        found.append(Member(name, start, end))
        at = skip_space(data, end)
        if data[at : at + 1] == b"}":
            return Members(found, at + 1)
        if data[at : at + 1] != b",":
            return None
        at = skip_space(data, at + 1)
    return None


def elements(data: bytes, at: int, whole: bool = True) -> list[tuple[int, int]] | None:
    """Where the elements lie of the array that begins at `at` and ends the data; None where it is damaged. With `whole`
    False the data may end within the array, which then has the elements before that."""
    found: list[tuple[int, int]] = []
    at = skip_space(data, at + 1)
    if data[at:] == b"]":
        return found
    while len(found) < MAX_PARTS:
        end = value_end(data, at)
        if not whole and (end is None or end == len(data)):
            return found
        if end is None:
            return None
        found.append((at, end))
        at = skip_space(data, end)
        if data[at : at + 2] == b"]":
            return found
        if data[at : at + 1] != b",":
            return None
        at = skip_space(data, at + 1)
    return None


def _container_end(data: bytes, at: int) -> int | None:
    flat = _FLAT_CONTAINER.match(data, at)
    if flat:
        return flat.end()
    open_ = bytearray(data[at : at + 1].translate(_CLOSERS))  # the closers that are to come, the next one last
    for match in _TOKEN.finditer(data, at + 1):
        start, end = match.span()
        if data[end - 1] in _OPENERS:
            open_ += data[start:end].translate(_CLOSERS)
        elif data[start] in _CLOSING:
            run = min(end - start, len(open_))  # the rest of the run closes what encloses the value
            if open_[: -run - 1 : -1] != data[start : start + run]:
                return None
            del open_[-run:]
            if not open_:
                return start + run
        elif end - start == 1 and data[start] == _QUOTE:
            return None
    return None


def _name(quoted: bytes) -> str | None:
    try:
        name = json.loads(quoted.decode("utf-8", "surrogateescape"))
    except ValueError:
        return None
    return name if isinstance(name, str) else None
