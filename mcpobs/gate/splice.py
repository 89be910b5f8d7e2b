"""Writes edits into the bytes of a JSON message: every byte outside of the edited places stays as its sender wrote it.

What cannot be found where an edit says is an error: a message must not pass unmasked.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Final

from mcpobs.gate.decisions import Edit
from mcpobs.protocol.envelope import STRING, skip_space, value_end

_CHARACTERS: Final = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\.|[^\\]++", re.DOTALL
)
"""An escaped character, or a run of others."""


_INTEGER: Final = re.compile(rb"-?[0-9]++(?![.eE])")


class SpliceError(ValueError):
    """An edit names a place that the message does not have."""


def spliced(raw: bytes, edits: Sequence[Edit]) -> bytes:
    """Returns a message with its edits. No two of them overlap. Raises SpliceError."""
    pieces, at = list[bytes](), 0
    for start, end, text in sorted(_places(raw, skip_space(raw, 0), edits, 0)):
        pieces += [raw[at:start], text]
        at = end
    return b"".join((*pieces, raw[at:]))


def _places(raw: bytes, at: int, edits: Sequence[Edit], depth: int) -> Iterator[tuple[int, int, bytes]]:
    """The places in the value that begins at `at`: where each begins and ends in bytes, and what stands there."""
    own = [edit for edit in edits if len(edit.at) == depth]
    if own:
        yield from _in_literal(raw, at, own)
    if len(own) == len(edits):
        return
    below: dict[str | int, list[Edit]] = {}
    for edit in edits:
        if len(edit.at) > depth:
            below.setdefault(edit.at[depth], []).append(edit)
    parts = _members(raw, at) if raw[at : at + 1] == b"{" else _elements(raw, at)
    for step, key_at, value_at in parts:
        found = below.pop(step, None)
        if found is None:
            continue
        keys = [edit for edit in found if edit.is_key and len(edit.at) == depth + 1]
        if keys:
            yield from _in_literal(raw, key_at, keys)
        if len(keys) < len(found):
            yield from _places(raw, value_at, [edit for edit in found if edit not in keys], depth + 1)
        if not below:
            return
    if below:
        raise SpliceError("an edit of a place that is not there")


def _members(raw: bytes, at: int) -> Iterator[tuple[str | int, int, int]]:
    """The members of an object: name, and where name and value begin."""
    at = skip_space(raw, at + 1)
    while raw[at : at + 1] == b'"':
        name = STRING.match(raw, at)
        if name is None:
            raise SpliceError("a broken name")
        value_at = skip_space(raw, skip_space(raw, name.end()) + 1)
        yield json.loads(name.group()), at, value_at
        at = _next(raw, value_at)


def _elements(raw: bytes, at: int) -> Iterator[tuple[str | int, int, int]]:
    """The elements of an array: number, and its beginning twice."""
    if raw[at : at + 1] != b"[":
        raise SpliceError("an edit below a plain value")
    at, place = skip_space(raw, at + 1), 0
    while at < len(raw) and raw[at : at + 1] != b"]":
        yield place, at, at
        at, place = _next(raw, at), place + 1


def _next(raw: bytes, value_at: int) -> int:
    """Returns the beginning of the part after a value, or the closing bracket."""
    end = value_end(raw, value_at)
    if end is None:
        raise SpliceError("a broken value")
    at = skip_space(raw, end)
    return skip_space(raw, at + 1) if raw[at : at + 1] == b"," else at


def _in_literal(raw: bytes, at: int, edits: Sequence[Edit]) -> Iterator[tuple[int, int, bytes]]:
    """The places of edits in a text, whose characters may be escaped."""
    number = _INTEGER.match(raw, at)
    if number is not None:
        yield at, number.end(), b'"%b"' % _escaped(edits[0].text)
        return
    literal = STRING.match(raw, at)
    if literal is None:
        raise SpliceError("an edit of what is no text")
    inside, last = at + 1, literal.end() - 1
    wanted = sorted({edit.start for edit in edits} | {edit.end for edit in edits if edit.end is not None})
    offsets = dict(zip(wanted, _offsets(raw, inside, last, wanted), strict=True))
    for edit in edits:
        yield offsets[edit.start], last if edit.end is None else offsets[edit.end], _escaped(edit.text)


def _offsets(raw: bytes, at: int, last: int, wanted: Sequence[int]) -> Iterator[int]:
    """Where characters begin in the bytes of a literal, for numbers of characters in rising order."""
    numbers = list(reversed(wanted))
    count = 0
    while numbers:
        found = _CHARACTERS.match(raw, at, last)
        if found is None:
            break
        piece = found.group()
        text = "\\" if piece[:1] == b"\\" else piece.decode("utf-8", "surrogatepass")
        taken, taken_bytes = 0, 0
        while numbers and numbers[-1] - count < len(text):
            upto = numbers.pop() - count
            taken_bytes += len(text[taken:upto].encode("utf-8", "surrogatepass"))
            taken = upto
            yield at + taken_bytes
        at, count = found.end(), count + len(text)
    while numbers:
        if numbers.pop() != count:
            raise SpliceError("an edit beyond the end of a text")
        yield last


def _escaped(text: str) -> bytes:
    return json.dumps(text)[1:-1].encode()
