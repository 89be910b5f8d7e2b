"""Defines a client's configuration as its servers and their places: the interface that JSON and TOML implement."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from mcpobs.setup.located import Edit, Member, Node

Where = tuple[str, ...]
"""The keys that lead to a value, from the top."""

Layout = tuple[str, ...]
"""The keys that lead to the object of the servers; `*` stands for any key."""


@dataclass(frozen=True, slots=True)
class Object:
    """Keys and values as pairs, so that order and repeated keys are compared too."""

    pairs: tuple[tuple[str, Tree], ...]


Tree = str | tuple["Tree", ...] | Object
"""Values without places, to compare: text for a scalar, a tuple for an array."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One server. `fields` are its own keys.

    `repeated`: its name or one of its fields occurs twice.
    """

    where: Where
    fields: tuple[Member, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    repeated: bool = False
    inline: bool = False
    is_nested: bool = False
    """Whether its command is an object with `path`, `args` and `env` (Zed until 2025)."""

    @property
    def name(self) -> str:
        return self.where[-1]

    @property
    def command_in(self) -> Where:
        """The keys that lead to the object with command and args."""
        return (*self.where, "command") if self.is_nested else self.where

    def value(self, key: str) -> Node | None:
        return next((f.node for f in self.fields if f.key == key), None)

    def text(self, key: str) -> str | None:
        """Returns the value of a string field."""
        node = self.value(key)
        return node.value if node is not None and node.kind == "string" else None

    def words(self) -> list[str]:
        """Returns the command, which may be a list, and its arguments; [] if they are not strings."""
        command, args = self.value("command"), self.args()
        if command is None or args is None:
            return []
        if command.kind == "array":
            return [item.value for item in command.items] if all(i.kind == "string" for i in command.items) else []
        return [command.value, *args] if command.kind == "string" else []

    def nodes(self) -> list[Node]:
        """Returns the places of the words."""
        command, args = self.value("command"), self.value("args")
        assert command is not None
        if command.kind == "array":
            return list(command.items)
        return [command, *(args.items if args is not None else ())]

    @property
    def is_listed(self) -> bool:
        """Whether its command is a list that holds its arguments too (opencode)."""
        command = self.value("command")
        return command is not None and command.kind == "array"

    def args(self) -> list[str] | None:
        """`args` if it is a list of strings; [] if there is none."""
        node = self.value("args")
        if node is None:
            return []
        if node.kind != "array" or any(item.kind != "string" for item in node.items):
            return None
        return [item.value for item in node.items]


class Document(Protocol):
    """A parsed configuration."""

    @property
    def text(self) -> str: ...

    def entries(self, layouts: Sequence[Layout]) -> list[Entry]:
        """Returns the servers, in the order of the text."""

    def quoted(self, value: str) -> str:
        """Returns a string in this format's syntax."""

    def add_args(self, entry: Entry, items: str) -> Edit | None:
        """Adds `args` after the command of a server that has none. None if no edit can do that."""

    def drop_args(self, entry: Entry) -> Edit | None:
        """Removes the text that `add_args` wrote. None if it is no longer there unchanged."""

    def leaves(self) -> Iterator[Node]:
        """Yields every value that is not an array or object, and values with unknown parts."""

    def comments(self) -> Iterator[tuple[int, int, str]]:
        """Yields the comments: begin, end, and the text to show."""

    def tree(self) -> Tree: ...


@dataclass(frozen=True, slots=True)
class Change:
    """Another command and other args for a server; without args if `args` is None, all in `command` if that is a
    list. `key` is that of the command."""

    command: Tree
    args: Tree | None
    key: str = "command"


def replaced(tree: Tree, changes: Mapping[Where, Change]) -> Tree:
    """Returns the tree with the changes of its servers. One pass: a file may have thousands of servers."""
    here = changes.get(())
    if here is not None:
        return _changed(tree, here)
    below: dict[str, dict[Where, Change]] = {}
    for where, change in changes.items():
        below.setdefault(where[0], {})[where[1:]] = change
    if not below:
        return tree
    assert isinstance(tree, Object)  # a place leads through objects only
    last = {key: n for n, (key, _) in enumerate(tree.pairs)}  # of a repeated key the last one, as parsers do
    return Object(
        tuple(
            (key, replaced(value, below[key]) if key in below and last[key] == n else value)
            for n, (key, value) in enumerate(tree.pairs)
        )
    )


def _changed(server: Tree, change: Change) -> Tree:
    assert isinstance(server, Object)
    has_args = any(key == "args" for key, _ in server.pairs)
    pairs: list[tuple[str, Tree]] = []
    for key, value in server.pairs:
        if key == change.key:
            pairs.append((key, change.command))
            if change.args is not None and not has_args:
                pairs.append(("args", change.args))
        elif key != "args":
            pairs.append((key, value))
        elif change.args is not None:
            pairs.append((key, change.args))
    return Object(tuple(pairs))


def string(value: str) -> Tree:
    return f"string {value}"


def strings(values: Sequence[str]) -> Tree:
    return tuple(string(value) for value in values)
