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

    @property
    def name(self) -> str:
        return self.where[-1]

    def value(self, key: str) -> Node | None:
        return next((f.node for f in self.fields if f.key == key), None)

    def text(self, key: str) -> str | None:
        """Returns the value of a string field."""
        node = self.value(key)
        return node.value if node is not None and node.kind == "string" else None

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


def replaced(tree: Tree, where: Where, command: str, args: Sequence[str] | None) -> Tree:
    """Returns the tree with another command and other args for one server; without args if `args` is None."""
    assert isinstance(tree, Object)  # `where` leads through objects only
    pairs = tree.pairs
    done: list[tuple[str, Tree]] = []
    last = max(n for n, (key, _) in enumerate(pairs) if not where or key == where[0])
    for n, (key, value) in enumerate(pairs):
        if where:
            done.append((key, replaced(value, where[1:], command, args) if n == last else value))
        elif key == "command":
            done.append((key, string(command)))
            if args is not None and all(k != "args" for k, _ in pairs):
                done.append(("args", strings(args)))
        elif key == "args":
            if args is not None:
                done.append((key, strings(args)))
        else:
            done.append((key, value))
    return Object(tuple(done))


def string(value: str) -> Tree:
    return f"string {value}"


def strings(values: Sequence[str]) -> Tree:
    return tuple(string(value) for value in values)
