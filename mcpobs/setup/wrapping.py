"""Puts mcpobs in front of a server's command in a configuration, and removes it again. Does no I/O.

The command moves into `args` as written, escapes and quotes included, so that removing mcpobs restores the same bytes.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass

from mcpobs.setup.document import Document, Entry
from mcpobs.setup.located import Edit, Node, lead, newline

REMOTE = frozenset({"http", "sse", "streamable-http", "streamableHttp", "ws", "sdk"})
_VARIABLE = re.compile(r"\$\{[^}]*\}|\$[A-Za-z_]")
"""A variable that the client replaces, e.g. `${HOME}`, `${env:X}`, `${workspaceFolder}` or `$HOME`: which file the
command names is known to the client only. A client passes the command on as one word, spaces included."""
_BLANK = re.compile(r"[ \t\r\n]*")
_WITH_VALUE = frozenset({"--lake", "--config", "--name"})


@dataclass(frozen=True, slots=True)
class Front:
    """The command with which a client starts mcpobs, its leading arguments, and folders other than the default."""

    command: tuple[str, ...]
    lake: str | None = None
    config: str | None = None

    def words(self, name: str) -> list[str]:
        """Returns all words before the server's own command."""
        words = [*self.command, "instrument"]
        if self.lake is not None:
            words += ["--lake", self.lake]
        if self.config is not None:
            words += ["--config", self.config]
        if name.startswith("-"):
            words.append(f"--name={name}")  # else it would be parsed as an option
        elif name:
            words += ["--name", name]
        return [*words, "--"]


def runs_through_mcpobs(entry: Entry) -> bool:
    """Returns whether mcpobs is in front, whether put there by `init`, by hand, by uvx or `python -m`."""
    return _instrument(entry.words()) is not None


def own_command(entry: Entry) -> int | None:
    """Returns the index of the server's own command in the words of an entry that `init` wrote; None for any other
    entry.

    An mcpobs that was added by hand must stay. Ours has the entry's name and the two dashes.
    """
    words = entry.words()
    at = _instrument(words)
    if at is None:
        return None
    name = ""
    while at < len(words) and words[at] != "--":
        option, equals, value = words[at].partition("=")
        if option not in _WITH_VALUE:
            return None
        if not equals:
            at += 1
            value = words[at] if at < len(words) else ""
        if option == "--name":
            name = value
        at += 1
    return at + 1 if at + 1 < len(words) and name == entry.name else None


def options(entry: Entry) -> dict[str, str]:
    """Returns the options with a value of the mcpobs in front of a server."""
    words = entry.words()
    at = _instrument(words)
    found: dict[str, str] = {}
    while at is not None and at < len(words) and words[at].startswith("--") and words[at] != "--":
        option, equals, value = words[at].partition("=")
        if option in _WITH_VALUE and not equals:
            at += 1
            value = words[at] if at < len(words) else ""
        found[option] = value
        at += 1
    return found


def _instrument(words: Sequence[str]) -> int | None:
    """Returns the index after `mcpobs instrument`."""
    for at, word in enumerate(words[1:], start=1):
        if word == "instrument" and os.path.basename(words[at - 1]) in ("mcpobs", "mcpobs.exe"):
            return at + 1
        if word == "--":
            return None
    return None


def objection(entry: Entry) -> str | None:
    """Returns why mcpobs cannot be put in front of this stdio server; None if it can."""
    command = entry.value("command")
    if entry.repeated:
        return "a key is repeated, and clients differ in which value they use"
    if command is not None and command.kind == "array" and entry.where[0] == "mcp":  # opencode
        return _objection_to_list(entry)
    if command is None or command.kind != "string" or not command.value.strip():
        return "its command is not a string" if command is not None else "it has neither a command nor a url"
    args = entry.value("args")
    if args is not None and args.kind != "array":
        return "its args is not a list"
    if entry.args() is None:
        return "its args holds something that is not a string"
    if (
        any(c.isspace() for c in command.value)
        and not _VARIABLE.search(command.value)
        and not os.path.exists(os.path.expanduser(command.value))
    ):
        return "its command has a space and is not a file: move the command's arguments into args first"
    return None


def _objection_to_list(entry: Entry) -> str | None:
    """The same for a command that is a list with the arguments (opencode)."""
    words = entry.words()
    if not words:
        return "its command is empty or holds something that is not a string"
    if not words[0].strip():
        return "its command is empty"
    if entry.value("args") is not None:
        return "its command is a list, and it has args too"
    return None


def wrap(document: Document, entry: Entry, front: Front) -> list[Edit] | None:
    """Returns the edits that put mcpobs in front. None if that is impossible."""
    command, args = entry.value("command"), entry.value("args")
    assert command is not None
    if command.kind == "array":
        return [_before_items(document, command, ", ".join(map(document.quoted, front.words(entry.name))))]
    first, *rest = front.words(entry.name)
    raw = document.text[command.start : command.end]
    items = ", ".join([*map(document.quoted, rest), raw])
    edits = [Edit(command.start, command.end, document.quoted(first))]
    if args is None:
        added = document.add_args(entry, items)
        return None if added is None else [*edits, added]
    if not args.items:
        return [*edits, Edit(args.start + 1, args.start + 1, items)]
    return [*edits, _before_items(document, args, items)]


def _before_items(document: Document, array: Node, items: str) -> Edit:
    at = array.items[0].start
    indent = lead(document.text, at)
    gap = " " if indent is None else newline(document.text) + indent
    return Edit(at, at, f"{items},{gap}")


def unwrap(document: Document, entry: Entry, had_args: bool) -> list[Edit]:
    """Returns the edits that restore a server's own command; none if it does not have our mcpobs in front.

    `had_args`: it had `args` before; if not, empty `args` are removed too.
    """
    at = own_command(entry)
    command, args = entry.value("command"), entry.value("args")
    if at is None or command is None:
        return []
    if command.kind == "array":
        return [Edit(command.items[0].start, _end(document.text, command, at - 1), "")]
    if args is None:
        return []
    index = at - 1  # index in args
    raw = document.text[args.items[index].start : args.items[index].end]
    edits = [Edit(command.start, command.end, raw)]
    if index + 1 == len(args.items) and not had_args:
        dropped = document.drop_args(entry)
        if dropped is not None:
            return [*edits, dropped]
    return [*edits, Edit(args.items[0].start, _end(document.text, args, index), "")]


def _end(text: str, args: Node, index: int) -> int:
    """Returns the end of the first items of an array, including their comma and the space up to the next item or
    comment."""
    if index >= len(args.commas):
        return args.items[index].end
    end = args.commas[index] + 1
    if index + 1 < len(args.items):
        blank = _BLANK.match(text, end)
        end = blank.end() if blank else end
    return end
