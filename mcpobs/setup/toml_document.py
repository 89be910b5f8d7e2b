"""Reads servers in TOML. Edits the text at the places of values; never serialises a tree."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from mcpobs import toml_versions
from mcpobs.setup import masking, toml
from mcpobs.setup.document import Entry, Layout, Object, Tree, string
from mcpobs.setup.located import Edit, Member, Node, lead, newline

_COMMAND = re.compile(r"""(?P<before>.*?)(["']?)command\2[ \t]*=[ \t]*""", re.DOTALL)
_COMMENT = re.compile(rf"{toml_versions.STRING.pattern}|(?P<line>#[^\r\n]*)", re.DOTALL)
_REST = re.compile(r"[^\r\n]*")


@dataclass(frozen=True, slots=True)
class TomlDocument:
    text: str
    parsed: toml.Parsed

    @classmethod
    def parse(cls, text: str) -> TomlDocument:
        """Raises MalformedError."""
        return cls(text, toml.parse(text))

    def entries(self, layouts: Sequence[Layout]) -> list[Entry]:
        """Returns the servers. TOML forbids repeated keys."""
        return [e for layout in layouts for e in self._below(layout)]

    def _below(self, layout: Layout) -> list[Entry]:
        data: Any = self.parsed.data
        for key in layout:
            data = data.get(key, {}) if isinstance(data, dict) else {}
        if not isinstance(data, dict):
            return []
        depth = len(layout) + 1
        own: dict[tuple[str, ...], list[toml.Assignment]] = {}
        for assignment in self.parsed.assignments:
            if len(assignment.path) > depth:
                own.setdefault(assignment.path[:depth], []).append(assignment)
        names = [(*layout, name) for name, value in data.items() if isinstance(value, dict)]
        return [self._entry(where, own.get(where, [])) for where in names]

    def _entry(self, where: tuple[str, ...], own: Sequence[toml.Assignment]) -> Entry:
        depth = len(where)
        direct = [a for a in own if len(a.path) == depth + 1]
        env = [a for a in own if a.path[depth] == "env" and a.node.kind == "string"]
        return Entry(
            where,
            tuple(Member(a.path[-1], a.at, a.node) for a in direct),
            env={a.path[-1]: a.node.value for a in env},
            inline=any(a.inline for a in direct if a.path[-1] == "command"),
        )

    def quoted(self, value: str) -> str:
        return toml.quoted(value)

    def add_args(self, entry: Entry, items: str) -> Edit | None:
        command = next(f for f in entry.fields if f.key == "command")
        key = _COMMAND.fullmatch(self.text, command.at, command.node.start)
        if key is None:
            return None
        written = f"{key['before']}args = [{items}]"
        if entry.inline:
            return Edit(command.node.end, command.node.end, f", {written}")
        end = self._line_end(command.node.end)  # after a comment, which is about the command
        return Edit(end, end, f"{newline(self.text)}{lead(self.text, command.at) or ''}{written}")

    def drop_args(self, entry: Entry) -> Edit | None:
        fields = {f.key: f for f in entry.fields}
        command, args = fields["command"], fields.get("args")
        if args is None:
            return None
        if entry.inline:
            between = self.text[command.node.end : args.at]
            return Edit(command.node.end, args.node.end, "") if between.strip() == "," else None
        end = self._line_end(command.node.end)
        if self.text[end : args.at].strip() or self._line_end(args.node.end) != args.node.end:
            return None
        return Edit(end, args.node.end, "")

    def _line_end(self, at: int) -> int:
        match = _REST.match(self.text, at)
        return match.end() if match else at

    def leaves(self) -> Iterator[Node]:
        for assignment in self.parsed.assignments:
            if assignment.node.kind != "object":  # its values are separate assignments
                yield from _leaves(assignment.node)

    def comments(self) -> Iterator[tuple[int, int, str]]:
        return masking.comments(self.text, _COMMENT, 0, len(self.text))

    def tree(self) -> Tree:
        return _tree(self.parsed.data)


def _leaves(node: Node) -> Iterator[Node]:
    """Yields the leaves. An inline table in an array is one leaf: the places of its values are unknown."""
    if node.kind != "array":
        yield node
    for item in node.items:
        yield from _leaves(item)


def _tree(value: object) -> Tree:
    match value:
        case dict():
            return Object(tuple((str(k), _tree(v)) for k, v in value.items()))
        case list():
            return tuple(map(_tree, value))
        case str():
            return string(value)
    return repr(value)  # a NaN equals nothing, but its text does
