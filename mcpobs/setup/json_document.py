"""Reads servers in JSON with comments. Edits the text at the places of values; never serialises a tree."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from mcpobs.setup import jsonc, masking
from mcpobs.setup.document import Entry, Layout, Object, Tree, Where, string
from mcpobs.setup.located import Edit, Member, Node, lead, newline

_ADDED = re.compile(r",\s*")
_COMMENT = re.compile(r'"(?:[^"\\]|\\.)*"|(?P<line>//[^\r\n]*)|(?P<block>/\*.*?\*/)', re.DOTALL)
_KEY = re.compile(r'"args"\s*:\s*')


@dataclass(frozen=True, slots=True)
class JsonDocument:
    text: str
    root: Node | None

    @classmethod
    def parse(cls, text: str, layouts: Sequence[Layout] | None = None) -> JsonDocument:
        """Parses what the layouts lead to; everything without them. Raises MalformedError."""
        return cls(text, jsonc.parse(text, layouts))

    def entries(self, layouts: Sequence[Layout]) -> list[Entry]:
        found = [] if self.root is None else [e for layout in layouts for e in _entries(self.root, layout, ())]
        found = [e for e in found if e.where not in layouts or e.value("command") or e.value("url")]
        return sorted(found, key=lambda e: e.fields[0].at if e.fields else 0)

    def quoted(self, value: str) -> str:
        return jsonc.quoted(value)

    def add_args(self, entry: Entry, items: str) -> Edit | None:
        command = next(f for f in entry.fields if f.key == "command")
        indent = lead(self.text, command.at)
        gap = " " if indent is None else newline(self.text) + indent
        return Edit(command.node.end, command.node.end, f',{gap}"args": [{items}]')

    def drop_args(self, entry: Entry) -> Edit | None:
        keys = [f.key for f in entry.fields]
        at = keys.index("command")
        if keys[at + 1 : at + 2] != ["args"]:
            return None
        command, args = entry.fields[at], entry.fields[at + 1]
        if not _ADDED.fullmatch(self.text, command.node.end, args.at):
            return None
        if not _KEY.fullmatch(self.text, args.at, args.node.start):
            return None
        return Edit(command.node.end, args.node.end, "")

    def leaves(self) -> Iterator[Node]:
        return iter(()) if self.root is None else _leaves(self.root)

    def comments(self) -> Iterator[tuple[int, int, str]]:
        skipped = [] if self.root is None else [(n.start, n.end) for n in _leaves(self.root) if n.kind == "skipped"]
        begins = [0, *(end for _, end in skipped)]
        ends = [*(start for start, _ in skipped), len(self.text)]
        for begin, end in zip(begins, ends, strict=True):
            yield from masking.comments(self.text, _COMMENT, begin, end)

    def tree(self) -> Tree:
        return "" if self.root is None else _tree(self.root, self.text)


def _entries(node: Node, layout: Layout, where: Where) -> Iterator[Entry]:
    if node.kind != "object":
        return
    if layout:
        last_of = {m.key: m.node for m in node.members}
        for key in sorted(last_of) if layout[0] == "*" else [layout[0]]:
            if key in last_of:
                yield from _entries(last_of[key], layout[1:], (*where, key))
        return
    counts = Counter(m.key for m in node.members)
    last = {m.key: m for m in node.members}
    for member in last.values():
        if member.node.kind == "object":
            yield _entry(member, (*where, member.key), repeated=counts[member.key] > 1)


def _entry(member: Member, where: Where, repeated: bool) -> Entry:
    fields = member.node.members
    nested = member.node.member("command")
    is_nested = nested is not None and nested.member("path") is not None
    if nested is not None and is_nested:
        own = tuple(Member("command" if m.key == "path" else m.key, m.at, m.node) for m in nested.members)
        fields = (*own, *(f for f in fields if f.key not in ("command", "args")))
    keys = [f.key for f in fields]
    env = next((f.node for f in fields if f.key in ("env", "environment")), None)  # the latter: opencode
    return Entry(
        where,
        fields,
        env={m.key: m.node.value for m in env.members if m.node.kind == "string"} if env else {},
        repeated=repeated or len(set(keys)) < len(keys),
        inline=True,
        is_nested=is_nested,
    )


def _leaves(node: Node) -> Iterator[Node]:
    below = [*node.items, *(m.node for m in node.members)]
    if not below and node.kind in ("string", "other", "skipped"):
        yield node
    for child in below:
        yield from _leaves(child)


def _tree(node: Node, text: str) -> Tree:
    match node.kind:
        case "object":
            return Object(tuple((m.key, _tree(m.node, text)) for m in node.members))
        case "array":
            return tuple(_tree(item, text) for item in node.items)
        case "skipped":  # by its bytes, without a second copy of a large file
            return blake2b(text[node.start : node.end].encode(errors="surrogatepass")).hexdigest()
        case "string":
            return string(node.value)
    return node.value
