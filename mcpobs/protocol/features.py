"""What kind of thing a value is, without what it says: as compact JSON with sorted keys.

    {"depth":1,"flags":["url"],"keys":2,"longest":31,"values":{"limit":"n1+","query":"s5-acpwU"}}

    cut      true where there was more than is looked at; else left out
    depth    levels of arrays and objects
    flags    kinds of text that some string of the value, a key or a text, is of: `mcpobs/protocol/flags.py`
    keys     members of all objects
    longest  characters of the longest string, keys among them
    values   of an object: the first 16 of its members by name, what kind of value each has, as a word:
             `mcpobs/protocol/codeword.py`. A member that the schema does not declare stands under the hash of its name

Looked at are the first 64 KiB and the last 4 KiB of a string, the first 1,000 strings and 10,000 values, and no more
than 512 KiB of text: what a sender makes of its text costs at most some ten times the CPU of prose, in all 0.1 s.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice
from typing import NamedTuple

from mcpobs.protocol.codeword import of_nested, of_scalar, of_text
from mcpobs.protocol.flags import ALL, CUT, names_of
from mcpobs.protocol.phrases import MIN_LENGTH

MAX_STRINGS = 1_000
MAX_VALUES = 10_000
MAX_CHARACTERS = 512 << 10  # of all strings of a value, for their flags
MAX_ARGUMENTS = 16

Shown = Callable[[str], str]
"""A member's name as it may be recorded: without a character that JSON would escape."""


class Names(NamedTuple):
    """What the names of an object's members add to its features, and the text around their code words."""

    keys: int
    longest: int
    flags: int
    shown: tuple[str, ...]  # the members that are described, in the order of their shown names
    text: str  # with %s for each of those
    plain: str  # the features, with the same, where the values have no flag and none is longer


def names_in(value: dict[str, object], shown: Shown) -> Names:
    """Of an object that is within the bounds."""
    flags, longest, _ = _flags_in(value, MAX_CHARACTERS)
    names = _by_shown_name(value, shown)
    parts = [f'"{name.replace("%", "%%")}":"%s"' for name in names]
    text = "{" + ",".join(parts) + "}"
    plain = _encoded(1, flags, len(value), longest, text)
    return Names(len(value), longest, flags, tuple(names.values()), text, plain)


def _by_shown_name(value: Iterable[str], shown: Shown) -> dict[str, str]:
    """The members that are described, by their shown names."""
    names = {shown(name): name for name in value}
    return {name: names[name] for name in sorted(names)[:MAX_ARGUMENTS]}


def features_of_flat(names: Names, value: dict[str, object]) -> str:
    """The same as `features_of` an object of these names, all of them described; no member is an object or an array."""
    keys, longest, flags, described, text, plain = names
    words = []
    left = MAX_CHARACTERS
    for name in described:
        item = value[name]
        if isinstance(item, str):
            word, raised = of_text(item, left)
            words.append(word)
            if raised:
                flags |= raised
            size = len(item)
            left -= size
            if size > longest:
                longest = size
        else:
            words.append(of_scalar(item))
    if longest == names.longest and flags == names.flags:
        return plain % tuple(words)
    return _encoded(1, flags, keys, longest, text % tuple(words))


def features_of(value: object, shown: Shown) -> str:
    """The features of any value, its members under the names that are shown. Of any depth, without recursion.

    Goes through all members level by level, so that none takes what another is bounded by.
    """
    walk = _Walk()
    if not isinstance(value, dict):
        walk.through([_Branch([value])])
        return _encoded(walk.depth, walk.flags, walk.keys, walk.longest, None)
    walk.depth = 1
    names, members = walk.members(value)
    walk.texts(names)
    words: dict[str, str | _Branch] = {}
    for name, item in zip(names, members, strict=True):
        if isinstance(item, dict):
            words[name] = _Branch([item], "o", len(item))
        elif isinstance(item, list):
            words[name] = _Branch([item], "l", len(item))
        else:
            words[name] = walk.word(item)
    walk.through([branch for branch in words.values() if isinstance(branch, _Branch)])
    by_name = _by_shown_name(names, shown)
    parts = ",".join(f'"{name}":"{words[by_name[name]]}"' for name in by_name)
    return _encoded(walk.depth, walk.flags, walk.keys, walk.longest, "{" + parts + "}")


class _Branch:
    """An array or object: what is left of it, and what was found in it."""

    __slots__ = ("flags", "kind", "level", "longest", "members")

    def __init__(self, level: list[object], kind: str = "", members: int = 0) -> None:
        self.level = level
        self.kind = kind
        self.members = members
        self.longest = self.flags = 0

    def __str__(self) -> str:
        return of_nested(self.kind, self.members, self.longest, self.flags)


class _Walk:
    """What was found in all of a value, and how much more may be looked at."""

    def __init__(self) -> None:
        self.depth = self.keys = self.longest = self.flags = 0
        self._texts_left, self._left = MAX_STRINGS, MAX_VALUES
        self._characters_left = MAX_CHARACTERS

    def through(self, branches: list[_Branch]) -> None:
        below = [branch for branch in branches if self._level(branch)]
        while below:
            self.depth += 1
            below = [branch for branch in below if self._level(branch)]

    def members(self, item: dict[str, object]) -> tuple[list[str], list[object]]:
        """The members of an object that are looked at."""
        self.keys += len(item)
        if len(item) > self._left:
            self.flags |= CUT
            item = dict(islice(item.items(), max(self._left, 0)))
        self._left -= len(item)
        return list(item), list(item.values())

    def word(self, item: object) -> str:
        """Of what is neither an array nor an object."""
        if not isinstance(item, str):
            return of_scalar(item)
        word, flags = of_text(item, self._characters_left)
        self._characters_left -= len(item)
        self.flags |= flags
        self.longest = max(self.longest, len(item))
        self._texts_left -= 1
        return word

    def texts(self, texts: list[str]) -> tuple[int, int]:
        """Their flags, and the length of the longest."""
        if len(texts) > self._texts_left:
            self.flags |= CUT
            self.longest = max(self.longest, *map(len, texts))
            texts = texts[: max(self._texts_left, 0)]
        self._texts_left -= len(texts)
        flags, longest, self._characters_left = _flags_in(texts, self._characters_left)
        self.flags |= flags
        if longest > self.longest:
            self.longest = longest
        return flags, longest

    def _level(self, branch: _Branch) -> bool:
        """Goes one level down; whether there is one."""
        texts: list[str] = []
        below: list[object] = []
        nested = False
        for item in branch.level:
            if isinstance(item, str):
                texts.append(item)
            elif isinstance(item, dict):
                nested = True
                names, members = self.members(item)
                texts += names
                below += members
            elif isinstance(item, list):
                nested = True
                if len(item) > self._left:
                    self.flags |= CUT
                self._left -= len(item)
                below += item[: max(self._left + len(item), 0)]
        if texts:
            flags, longest = self.texts(texts)
            branch.flags |= flags
            if longest > branch.longest:
                branch.longest = longest
        branch.level = below
        return nested


def _flags_in(texts: Iterable[str], left: int) -> tuple[int, int, int]:
    """The flags of texts, the length of the longest, and how many characters of `left` may still be looked at."""
    flags = longest = 0
    for text in texts:
        size = len(text)
        if size > longest:
            longest = size
        if size >= MIN_LENGTH or not (text.isalnum() and text.isascii()):
            flags |= of_text(text, left)[1]
            left -= size
    return flags, longest, left


def _encoded(depth: int, flags: int, keys: int, longest: int, values: str | None) -> str:
    listed = '"' + '","'.join(names_of(flags & ALL)) + '"' if flags & ALL else ""
    cut = '"cut":true,' if flags & CUT else ""
    words = f',"values":{values}' if values is not None else ""
    return f'{{{cut}"depth":{depth},"flags":[{listed}],"keys":{keys},"longest":{longest}{words}}}'
