"""Finds the place of each value in a TOML text, 1.0 or 1.1. tomllib validates the text first.

tomllib returns values without places, so this module finds the places by the same grammar.
"""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import dataclass
from typing import Any

from mcpobs import toml_versions
from mcpobs.setup.located import MalformedError, Node, malformed

_BLANK = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_KEY = re.compile(r"""[A-Za-z0-9_-]+|"(?:\\.|[^"\\\n])*"|'[^'\n]*'""")
_BARE = re.compile(r"[^,\]}#\r\n]+")
_PLACE = re.compile(r"(.*) \(at (?:line (\d+), column (\d+)|(end of document))\)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Assignment:
    """`path = value`, by the full path of the key. `at` is the start of the key. `inline`: it is in an inline table."""

    path: tuple[str, ...]
    at: int
    node: Node
    inline: bool


@dataclass(frozen=True, slots=True)
class Parsed:
    """The data from tomllib, and every assignment, including those in inline tables, in the order of the text."""

    data: dict[str, Any]
    assignments: tuple[Assignment, ...]


def parse(text: str) -> Parsed:
    """Raises MalformedError."""
    mark = 1 if text.startswith("\ufeff") else 0  # tomllib refuses a BOM; the parser in Rust skips it
    try:
        data = toml_versions.loads(text[mark:])
    except tomllib.TOMLDecodeError as error:
        raise _malformed(str(error), text) from None
    except RecursionError:
        raise malformed("nested too deeply", text, 0) from None
    return Parsed(data, tuple(_assignments(text, mark)))


def quoted(value: str) -> str:
    """Returns a basic string. TOML has JSON's escapes; DEL must be escaped too."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _malformed(message: str, text: str) -> MalformedError:
    place = _PLACE.fullmatch(message)
    if place is None:
        return malformed(message, text, 0)
    why = place[1][:1].lower() + place[1][1:]
    return malformed(why, text, len(text)) if place[4] else MalformedError(why, int(place[2]), int(place[3]))


def _assignments(text: str, at: int) -> list[Assignment]:
    found: list[Assignment] = []
    table: tuple[str, ...] = ()
    tables = 0
    at = _skip(_BLANK, text, at)
    while at < len(text):
        if text.startswith("[", at):
            several = text.startswith("[[", at)
            table, at = _path(text, at + (2 if several else 1))
            at = text.index("]", at) + (2 if several else 1)
            if several:  # an array of tables: the number distinguishes the keys of each
                tables += 1
                table = (*table, f"[{tables}]")
        else:
            begin = at
            path, at = _path(text, at)
            path = (*table, *path)
            node = _value(text, _skip(_SPACE, text, at + 1), path, found)
            found.append(Assignment(path, begin, node, inline=False))
            at = node.end
        at = _skip(_BLANK, text, at)
    return found


def _path(text: str, at: int) -> tuple[tuple[str, ...], int]:
    """Returns a dotted key, and the position of the sign after it."""
    parts: list[str] = []
    while True:
        at = _skip(_SPACE, text, at)
        end = _skip(_KEY, text, at)
        word = text[at:end]
        parts.append(next(iter(toml_versions.loads(f"{word}=0"))))
        at = _skip(_SPACE, text, end)
        if not text.startswith(".", at):
            return tuple(parts), at
        at += 1


def _value(text: str, at: int, path: tuple[str, ...], found: list[Assignment]) -> Node:
    """Returns a value; adds the assignments of an inline table to `found`."""
    match text[at]:
        case "[":
            return _array(text, at)
        case "{":
            return _inline_table(text, at, path, found)
        case '"' | "'":
            end = _skip(toml_versions.STRING, text, at)
            return Node("string", at, end, toml_versions.loads(f"x={text[at:end]}")["x"])
    word = text[at : _skip(_BARE, text, at)].rstrip(" \t")
    return Node("other", at, at + len(word), word)


def _array(text: str, begin: int) -> Node:
    items: list[Node] = []
    commas: list[int] = []
    at = _skip(_BLANK, text, begin + 1)
    while not text.startswith("]", at):
        items.append(_value(text, at, (), []))  # a table in an array has no path
        at = _skip(_BLANK, text, items[-1].end)
        if text.startswith(",", at):
            commas.append(at)
            at = _skip(_BLANK, text, at + 1)
    return Node("array", begin, at + 1, items=tuple(items), commas=tuple(commas))


def _inline_table(text: str, begin: int, table: tuple[str, ...], found: list[Assignment]) -> Node:
    at = _skip(_BLANK, text, begin + 1)
    while not text.startswith("}", at):
        key = at
        path, at = _path(text, at)
        path = (*table, *path)
        node = _value(text, _skip(_SPACE, text, at + 1), path, found)
        found.append(Assignment(path, key, node, inline=True))
        at = _skip(_BLANK, text, node.end)
        if text.startswith(",", at):
            at = _skip(_BLANK, text, at + 1)
    return Node("object", begin, at + 1)


def _skip(what: re.Pattern[str], text: str, at: int) -> int:
    match = what.match(text, at)
    return match.end() if match else at
