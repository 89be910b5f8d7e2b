"""Parses JSON with comments and trailing commas into values with places. Values that no layout leads to are skipped,
at the speed of the standard library's parser: of 100 MB of Claude Code's file, servers are a few kB.

Editors' configurations are such JSON (VS Code documents it); other clients' files are strict JSON, a subset. Anything
else is malformed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Final

from mcpobs.setup.document import Layout
from mcpobs.setup.located import Member, Node, malformed

DEPTH: Final = 200  # a configuration has 10 levels; far beyond this Python's recursion limit is reached

_BLANK = re.compile(r"(?:[ \t\r\n]+|//[^\r\n]*|/\*.*?\*/)*", re.DOTALL)
_BLANK_BEGINS = frozenset(" \t\r\n/")
_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\.)*"')
_WORD = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|true|false|null")


_Wanted = Sequence[Layout] | None
"""The layouts that begin at a value; None: all of it is wanted."""


def _no_constant(word: str) -> None:
    raise ValueError(word)  # NaN and Infinity are no JSON


_skip = json.JSONDecoder(parse_constant=_no_constant).raw_decode


def parse(text: str, layouts: _Wanted = None) -> Node | None:
    """Returns the value of the whole text, without what no layout leads to; None if it has none. Raises
    MalformedError."""
    begin = _blank(text, 1 if text.startswith("\ufeff") else 0)
    if begin == len(text):
        return None
    node = _value(text, begin, DEPTH, layouts)
    end = _blank(text, node.end)
    if end != len(text):
        raise malformed("something follows the end", text, end)
    return node


def quoted(value: str) -> str:
    """Returns a string as JSON. Half of a surrogate pair, which UTF-8 cannot encode, stays an escape."""
    plain = json.dumps(value, ensure_ascii=False)
    try:
        plain.encode()
    except UnicodeEncodeError:
        return json.dumps(value)
    return plain


def _blank(text: str, at: int) -> int:
    """Returns the position after white space and comments."""
    if text[at : at + 1] not in _BLANK_BEGINS:
        return at
    match = _BLANK.match(text, at)
    end = match.end() if match else at
    if text.startswith("/*", end):
        raise malformed("a comment that does not end", text, end)
    return end


def _value(text: str, at: int, depth: int, wanted: _Wanted = None) -> Node:
    if depth == 0:
        raise malformed("nested too deeply", text, at)
    if wanted is not None and (not wanted or text[at : at + 1] == "["):
        skipped = _skipped(text, at)
        if skipped is not None:
            return skipped
        wanted = None
    match text[at : at + 1]:
        case "{":
            return _object(text, at, depth, wanted)
        case "[":
            return _array(text, at, depth)
        case '"':
            return _string(text, at)
    word = _WORD.match(text, at)
    if word is None or text[word.end() : word.end() + 1].isalnum():
        raise malformed("no value" if at < len(text) else "the text ends too early", text, at)
    return Node("other", at, word.end(), word[0])


def _skipped(text: str, at: int) -> Node | None:
    """Returns an object or array as one value; None if it is neither, or not strict JSON."""
    if text[at : at + 1] not in ("{", "["):
        return None
    try:
        _, end = _skip(text, at)
    except (ValueError, RecursionError):
        return None
    return Node("skipped", at, end)


def _below(wanted: _Wanted, key: str) -> _Wanted:
    if wanted is None:
        return None
    below = [layout[1:] for layout in wanted if layout and layout[0] in ("*", key)]
    return None if () in below else below


def _string(text: str, at: int) -> Node:
    match = _STRING.match(text, at)
    if match is None:
        raise malformed("a string that does not end on its line", text, at)
    if "\\" not in match[0]:
        return Node("string", at, match.end(), match[0][1:-1])
    try:
        value = json.loads(match[0])
    except ValueError:
        raise malformed("a wrong escape in a string", text, at) from None
    return Node("string", at, match.end(), value)


def _object(text: str, begin: int, depth: int, wanted: _Wanted) -> Node:
    members: list[Member] = []
    at = _blank(text, begin + 1)
    while not text.startswith("}", at):
        if not text.startswith('"', at):
            raise malformed("a key in double quotes is missing", text, at)
        key = _string(text, at)
        colon = _blank(text, key.end)
        if not text.startswith(":", colon):
            raise malformed("a colon is missing", text, colon)
        node = _value(text, _blank(text, colon + 1), depth - 1, _below(wanted, key.value))
        members.append(Member(key.value, at, node))
        at = _blank(text, node.end)
        if text.startswith(",", at):
            at = _blank(text, at + 1)
        elif not text.startswith("}", at):
            raise malformed("a comma or } is missing", text, at)
    return Node("object", begin, at + 1, members=tuple(members))


def _array(text: str, begin: int, depth: int) -> Node:
    items: list[Node] = []
    commas: list[int] = []
    at = _blank(text, begin + 1)
    while not text.startswith("]", at):
        item = _value(text, at, depth - 1)
        items.append(item)
        at = _blank(text, item.end)
        if text.startswith(",", at):
            commas.append(at)
            at = _blank(text, at + 1)
        elif not text.startswith("]", at):
            raise malformed("a comma or ] is missing", text, at)
    return Node("array", begin, at + 1, items=tuple(items), commas=tuple(commas))
