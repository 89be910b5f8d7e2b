"""Reads the checked tree of a CEL expression: which variables and members it reads, and how deep its loops nest.

The tree comes as the bytes of `cel.expr.CheckedExpr`, a protobuf message; its field numbers are part of the CEL
specification. Does not evaluate anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

Chain = tuple[str, ...]
"""A variable and the members read of it, e.g. ("args", "order", "id")."""

_CHECKED: Final = 2  # of google.protobuf.Any: the message
_TREE: Final = 4  # of CheckedExpr
_CONSTANT, _NAME, _MEMBER, _CALL, _LIST, _STRUCT, _LOOP = 3, 4, 5, 6, 7, 8, 9  # of Expr
_TEXT: Final = 6  # of Constant
_LOOP_RANGE: Final = 2
_LOOP_PARTS: Final = (4, 5, 6, 7)  # accu_init, loop_condition, loop_step, result
_INDEX: Final = "_[_]"
_ORDER: Final = frozenset({"_<_", "_<=_", "_>_", "_>=_"})

Fields = dict[int, list[bytes]]


@dataclass
class Tree:
    """What an expression reads."""

    chains: set[Chain] = field(default_factory=set)
    loops: int = 0
    """How deep loops nest; 1: one loop, or several one after the other."""
    compares: bool = False
    """Whether it asks which of two values is larger."""


def read(serialized: bytes) -> Tree:
    """Raises ValueError for bytes that are not a checked expression."""
    found = Tree()
    found.loops = _visit(_one(_fields(_one(_fields(serialized), _CHECKED)), _TREE), found)
    return found


def _visit(expression: bytes, found: Tree) -> int:
    """Notes what an expression reads, and returns how deep its loops nest."""
    chain = _chain(expression)
    if chain is not None:
        found.chains.add(chain)
        return 0
    fields = _fields(expression)
    if _CALL in fields:
        call = _fields(_one(fields, _CALL))
        found.compares = found.compares or _one(call, 2).decode() in _ORDER
        return max((_visit(one, found) for one in (*call.get(1, ()), *call.get(3, ()))), default=0)
    if _LOOP in fields:
        loop = _fields(_one(fields, _LOOP))
        inner = max(_visit(one, found) for part in _LOOP_PARTS for one in loop.get(part, ()))
        return max(_visit(_one(loop, _LOOP_RANGE), found), 1 + inner)
    return max((_visit(one, found) for one in _parts(fields)), default=0)


def _parts(fields: Fields) -> Iterator[bytes]:
    for member in fields.get(_MEMBER, ()):
        yield _one(_fields(member), 1)
    for items in fields.get(_LIST, ()):
        yield from _fields(items).get(1, ())
    for struct in fields.get(_STRUCT, ()):
        for entry in _fields(struct).get(2, ()):
            of_entry = _fields(entry)
            yield from (*of_entry.get(3, ()), *of_entry.get(4, ()))


def _chain(expression: bytes) -> Chain | None:
    """A variable with members that are written out, as `a.b` or `a["b"]`; None for any other expression."""
    fields = _fields(expression)
    if _NAME in fields:
        return tuple(_one(_fields(_one(fields, _NAME)), 1).decode().split("."))
    if _MEMBER in fields:
        member = _fields(_one(fields, _MEMBER))
        return _below(_one(member, 1), _one(member, 2).decode())
    if _CALL in fields:
        call = _fields(_one(fields, _CALL))
        if _one(call, 2).decode() == _INDEX and len(call.get(3, ())) == 2:
            of, index = call[3]
            constant = _fields(_one(_fields(index), _CONSTANT)) if _CONSTANT in _fields(index) else {}
            return _below(of, _one(constant, _TEXT).decode()) if _TEXT in constant else None
    return None


def _below(expression: bytes, name: str) -> Chain | None:
    above = _chain(expression)
    return None if above is None else (*above, name)


# -- protobuf ------------------------------------------------------------------------------------------------


def _one(fields: Fields, number: int) -> bytes:
    if number not in fields:
        raise ValueError(f"no field {number}")
    return fields[number][-1]


def _fields(message: bytes) -> Fields:
    """The length-delimited fields of a message by number; numbers and booleans are skipped."""
    found: Fields = {}
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        match tag & 7:
            case 0:
                _, at = _varint(message, at)
            case 1:
                at += 8
            case 5:
                at += 4
            case 2:
                size, at = _varint(message, at)
                found.setdefault(tag >> 3, []).append(message[at : at + size])
                at += size
            case wire:
                raise ValueError(f"wire type {wire}")
    return found


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(message) or shift > 63:
            raise ValueError("a number is cut off")
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
