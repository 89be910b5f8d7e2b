"""Defines values of a configuration text with their places, and edits of that text. Knows no format."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Kind = Literal["object", "array", "string", "other", "skipped"]


@dataclass(frozen=True, slots=True)
class Node:
    """A value: `text[start:end]` is its text.

    A `skipped` value is valid, without comments, and was not looked into. `commas` are the places of the commas after
    the items of an array: as many as items, or one fewer.
    """

    kind: Kind
    start: int
    end: int
    value: str = ""
    """The content of a string, or the text of a number, a word or a date."""
    items: tuple[Node, ...] = ()
    commas: tuple[int, ...] = ()
    members: tuple[Member, ...] = ()

    def member(self, key: str) -> Node | None:
        """Returns the value of a key; of a repeated key the last value, as parsers do."""
        return next((m.node for m in reversed(self.members) if m.key == key), None)


@dataclass(frozen=True, slots=True)
class Member:
    """A key, its start, and its value."""

    key: str
    at: int
    node: Node


@dataclass(frozen=True, slots=True)
class Edit:
    """Replaces the text from `start` to `end` by `text`."""

    start: int
    end: int
    text: str


class MalformedError(ValueError):
    """The text is not in its format. Line and column count from 1."""

    def __init__(self, why: str, line: int, column: int) -> None:
        super().__init__(f"{why} at line {line}, column {column}")


def malformed(why: str, text: str, at: int) -> MalformedError:
    before = text[:at]
    line = before.count("\n")
    return MalformedError(why, line + 1, at - (before.rfind("\n") + 1) + 1)


def edited(text: str, edits: Iterable[Edit]) -> str:
    """Returns the text with edits applied, which must not overlap."""
    parts: list[str] = []
    at = 0
    for edit in sorted(edits, key=lambda e: (e.start, e.end)):
        parts += [text[at : edit.start], edit.text]
        at = edit.end
    return "".join([*parts, text[at:]])


def lead(text: str, at: int) -> str | None:
    """Returns the white space from the start of the line to a place; None if there is other text."""
    begin = at
    while begin > 0 and text[begin - 1] in " \t":  # not back to the line's start, which may be 100 MB away
        begin -= 1
    is_first = begin == 0 or (begin == 1 and text[0] == "\ufeff")
    return text[begin:at] if is_first or text[begin - 1] == "\n" else None


def newline(text: str) -> str:
    """Returns the line ending of a text."""
    at = text.find("\n")
    return "\r\n" if at > 0 and text[at - 1] == "\r" else "\n"
