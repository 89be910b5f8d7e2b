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


_NUMBER: Final = re.compile(rb"-?[0-9]++(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?")


class SpliceError(ValueError):
    """An edit names a place that the message does not have."""


def spliced(raw: bytes, edits: Sequence[Edit]) -> bytes:
    """Returns a message with its edits. No two of them overlap. Raises SpliceError. Reads each byte once."""
    pieces, at = list[bytes](), 0
    for start, end, text in sorted(_places(raw, _tree(edits))):
        pieces += [raw[at:start], text]
        at = end
    return b"".join((*pieces, raw[at:]))


class _Node:
    """The edits of one value and of what lies below it."""

    __slots__ = ("below", "name", "own")

    def __init__(self) -> None:
        self.own: list[Edit] = []
        self.name: list[Edit] = []
        self.below: dict[str | int, _Node] = {}


def _tree(edits: Sequence[Edit]) -> _Node:
    root = _Node()
    for edit in edits:
        node = root
        for step in edit.at:
            known = node.below.get(step)
            if known is None:
                known = node.below[step] = _Node()
            node = known
        (node.name if edit.is_key else node.own).append(edit)
    return root


def _places(raw: bytes, root: _Node) -> Iterator[tuple[int, int, bytes]]:
    """The places of edits: where each begins and ends in bytes, and what stands there. A value without an edit is
    skipped as a whole, one with an edit is walked into, and the place where that ends is known by the walk."""
    opened: list[_Parts] = []
    node, at = root, skip_space(raw, 0)
    while True:
        if node.own:
            yield from _in_literal(raw, at, node.own)
        if node.below:
            opened.append(_Parts(raw, at, node.below))
        else:
            at = _end(raw, at)
        while opened:
            parts = opened[-1]
            part = parts.next(at)
            if part is not None:
                break
            at = parts.end
            opened.pop()
        else:
            return
        node, key_at, at = part
        if node.name:
            yield from _in_literal(raw, key_at, node.name)


class _Parts:
    """The members of an object or the elements of an array, of which some have edits."""

    def __init__(self, raw: bytes, at: int, below: dict[str | int, _Node]) -> None:
        self._raw, self._below = raw, below
        self._is_object = raw[at : at + 1] == b"{"
        if not self._is_object and raw[at : at + 1] != b"[":
            raise SpliceError("an edit below a plain value")
        self._at, self._count = at + 1, 0
        self.end = -1

    def next(self, end: int) -> tuple[_Node, int, int] | None:
        """The next part with edits: those, where its name begins, and where its value does. `end` is where the part
        before it ends. None if there is no further part; `end` is then where the whole ends."""
        at = self._at if not self._count else end
        while True:
            at = skip_space(self._raw, at)
            sign = self._raw[at : at + 1]
            if sign in (b"}", b"]"):
                if self._below:
                    raise SpliceError("an edit of a place that is not there")
                self.end = at + 1
                return None
            if self._count:
                at = skip_space(self._raw, at + 1)
            step, key_at, at = self._part(at)
            self._count += 1
            node = self._below.pop(step, None)
            if node is not None:
                return node, key_at, at
            at = _end(self._raw, at)

    def _part(self, at: int) -> tuple[str | int, int, int]:
        if not self._is_object:
            return self._count, at, at
        name = STRING.match(self._raw, at)
        if name is None:
            raise SpliceError("a broken name")
        value_at = skip_space(self._raw, skip_space(self._raw, name.end()) + 1)
        return json.loads(name.group()), at, value_at


def _end(raw: bytes, at: int) -> int:
    end = value_end(raw, at)
    if end is None:
        raise SpliceError("a broken value")
    return end


def _in_literal(raw: bytes, at: int, edits: Sequence[Edit]) -> Iterator[tuple[int, int, bytes]]:
    """The places of edits in a text, whose characters may be escaped."""
    number = _NUMBER.match(raw, at)
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
