"""Edits the text of a limits file in place: replaces and adds entries, and leaves every other byte. Judges nothing.

An entry is a key with its value, named by its path in the YAML: ("session", "calls"), ("tools", "search",
"arguments"). A person's comments and order stay, and the layout outside the values that are replaced.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import yaml

from mcpobs.limits.data import Data
from mcpobs.limits.document import compose
from mcpobs.limits.layout import flow, leaf_line, quoted
from mcpobs.limits.paths import Path

_COMMENT = re.compile(r"(?:^\s*|[]\[{},]\s+)(#.*)$")
"""A comment within a value in braces: on a line of its own, or behind a sign."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """A key and its value in the text."""

    key: yaml.Node
    value: yaml.Node


@dataclass(frozen=True, slots=True)
class _Added:
    """The value of a new entry; new mappings above it are plain dicts."""

    value: Data


_Tree = dict[str, "_Tree | _Added"]


class Edits:
    """The edits of one text. Positions are those of the text before; `text` applies all of them."""

    def __init__(self, text: str) -> None:
        self._text = text
        root = compose(text)
        assert isinstance(root, yaml.MappingNode)
        self._root = root
        self._edits: list[tuple[int, int, str]] = []
        self._added: _Tree = {}

    def text(self) -> str:
        """The text with all edits. Call it once."""
        self._emit((), self._added)
        text = self._text
        for _, (start, end, new) in sorted(
            enumerate(self._edits), key=lambda one: (one[1][0], one[1][1], one[0]), reverse=True
        ):
            text = text[:start] + new + text[end:]
        return text

    def holds(self, path: Path) -> bool:
        return self._find(path) is not None

    def replace(self, path: Path, value: Data) -> None:
        """Replaces the value of an entry that the text holds."""
        entry = self._find(path)
        assert entry is not None
        start, end = entry.value.start_mark.index, _end(entry.value)
        before = self._text[self._line_start(start) : start]
        line = leaf_line(before, value, " " * (entry.key.start_mark.column + 2))
        self._put(start, end, line[len(before) :], entry)

    def replace_list(self, path: Path, items: Data) -> None:
        """Replaces the items of a list, one on each line."""
        entry = self._find(path)
        assert entry is not None
        assert isinstance(items, list)
        before = self._text[entry.key.end_mark.index : entry.value.start_mark.index]
        start = entry.value.start_mark.index - (len(before) - len(before.rstrip()))
        lines = "".join(f"\n  - {flow(item)}" for item in items) if items else " []"
        self._put(start, _end(entry.value), lines, entry)

    def _put(self, start: int, end: int, new: str, entry: _Entry) -> None:
        """Replaces a value; the comments inside it come below it."""
        self._edits.append((start, end, new))
        kept = [match[1] for match in map(_COMMENT.search, self._text[start:end].split("\n")) if match]
        indent = " " * (entry.key.start_mark.column + 2)
        at = self._line_end(end)
        self._edits.append((at, at, "".join(f"\n{indent}{words}" for words in kept)))

    def add(self, path: Path, value: Data) -> None:
        """Adds an entry at the end of its mapping, and the mappings above it that the text does not hold."""
        tree = self._added
        for name in path[:-1]:
            below = tree.setdefault(name, {})
            assert isinstance(below, dict)
            tree = below
        tree[path[-1]] = _Added(value)

    def _emit(self, path: Path, tree: _Tree) -> None:
        new: list[tuple[str, _Tree | _Added]] = []
        for name, below in tree.items():
            if isinstance(below, dict) and self.holds((*path, name)):
                self._emit((*path, name), below)
            else:
                new.append((name, below))
        if new:
            self._add_to(self._mapping(path), new)

    def comments(self, path: Path) -> list[str]:
        """The comments below the entries of a mapping."""
        return [words for _, _, _, words in self._comments(path)]

    def replace_comments(self, path: Path, new: Callable[[str], str | None]) -> None:
        """Replaces the words of each comment below the entries of a mapping; None deletes the comment."""
        for start, end, indent, words in self._comments(path):
            after = new(words)
            if after != words:
                self._edits.append((start, end, "" if after is None else f"\n{' ' * indent}# {after}"))

    def _find(self, path: Path) -> _Entry | None:
        node: yaml.Node = self._root
        entry = None
        for name in path:
            entry = next((_Entry(key, value) for key, value in _members(node) if key.value == name), None)
            if entry is None:
                return None
            node = entry.value
        return entry

    def _mapping(self, path: Path) -> yaml.MappingNode:
        entry = self._find(path)
        node = self._root if entry is None else entry.value
        assert isinstance(node, yaml.MappingNode)
        return node

    def _add_to(self, mapping: yaml.MappingNode, new: Sequence[tuple[str, _Tree | _Added]]) -> None:
        if mapping.flow_style and mapping.value:
            at = _end(mapping.value[-1][1])
            self._edits.append((at, at, "".join(f", {_member(name, value)}" for name, value in new)))
            return
        if mapping.flow_style:  # {}: its lines come below the key
            at = mapping.start_mark.index
            line = self._text[self._line_start(at) : at]
            column = len(line) - len(line.lstrip()) + 2
            start = at - (len(line) - len(line.rstrip()))
            self._edits.append((start, mapping.end_mark.index, ""))
            at = self._line_end(mapping.end_mark.index)
        else:
            column = mapping.start_mark.column
            at = self._behind_comments(self._line_end(_end(mapping)), column)
        lines = [line for name, value in new for line in _lines(" " * column, name, value)]
        self._edits.append((at, at, "".join(f"\n{line}" for line in lines)))

    def _behind_comments(self, at: int, column: int) -> int:
        """The end of the comment lines that are indented more, and so belong to the last member."""
        for _, end, indent, _ in self._comment_lines(at):
            if indent <= column:
                break
            at = end
        return at

    def _comment_lines(self, at: int) -> Iterator[tuple[int, int, int, str]]:
        """The comment lines that follow: where each begins and ends, its indent and its words."""
        while at < len(self._text):
            end = self._line_end(at + 1)
            line = self._text[at + 1 : end]
            words = line.lstrip(" ")
            if not words.startswith("#"):
                return
            yield at, end, len(line) - len(words), words.removeprefix("#").strip()
            at = end

    def _comments(self, path: Path) -> Iterator[tuple[int, int, int, str]]:
        """The comment lines that follow the last entry of a mapping, indented below its key."""
        entry = self._find(path)
        if entry is not None:
            for start, end, indent, words in self._comment_lines(self._line_end(_end(entry.value))):
                if indent <= entry.key.start_mark.column:
                    return
                yield start, end, indent, words

    def _line_start(self, at: int) -> int:
        return self._text.rfind("\n", 0, at) + 1

    def _line_end(self, at: int) -> int:
        found = self._text.find("\n", at)
        return len(self._text) if found < 0 else found


def _members(node: yaml.Node) -> list[tuple[yaml.Node, yaml.Node]]:
    return node.value if isinstance(node, yaml.MappingNode) else []


def _end(node: yaml.Node) -> int:
    """Where a value ends: PyYAML ends a block at the next token, behind its comments."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _end(last[1] if isinstance(last, tuple) else last)
    return int(node.end_mark.index)


def _lines(indent: str, name: str, value: _Tree | _Added) -> Iterator[str]:
    """The lines of a new entry."""
    if isinstance(value, dict):
        yield f"{indent}{quoted(name)}:"
        for key, member in value.items():
            yield from _lines(indent + "  ", key, member)
    elif value.value == {}:
        yield f"{indent}{quoted(name)}: {{}}"
    elif isinstance(value.value, list):
        yield f"{indent}{quoted(name)}:"
        yield from (f"{indent}  - {flow(item)}" for item in value.value)
    else:
        yield leaf_line(f"{indent}{quoted(name)}: ", value.value, indent + "  ")


def _member(name: str, value: _Tree | _Added) -> str:
    """A new entry within braces."""
    if isinstance(value, dict):
        return f"{quoted(name)}: {{{', '.join(_member(key, member) for key, member in value.items())}}}"
    return " ".join(line.strip() for line in leaf_line(f"{quoted(name)}: ", value.value, "").split("\n"))
