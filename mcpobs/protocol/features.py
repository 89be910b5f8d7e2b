"""What kind of thing a value is, without what it says: depth, number of keys, longest string, flags.

The flags are a closed set; each says that some string of the value, a key or a text, holds

    control    a C0 control character other than tab, newline and carriage return
    invisible  zero-width or bidirectional controls, tag characters, several variation selectors in a row
    long_run   256 or more characters of base64 or hex without a break
    markup     the tokens of a chat template (`<|im_start|>`, `[INST]`) or a `<script` tag
    null_byte  U+0000
    shell      a known command after `;`, `|`, `&&`, a backtick or `$(`
    sql        after a quote or a semicolon: union select, drop table, or 1=1, and their like
    template   `${` or `{{`
    traversal  `../` or `..\\`
    url        `://`

They are hints for a report, not verdicts. They err towards silence in prose and code, and look at the first
64 KiB and the last 4 KiB of a string, at the first 1,000 strings, and at 10,000 values; `"cut":true` says that
there was more.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import islice
from typing import NamedTuple

MAX_STRINGS = 1_000
MAX_VALUES = 10_000
HEAD, TAIL = 65_536, 4_096
LONG_RUN = 256

# None of these can backtrack far: every repeat is short and bounded.
_CONTROL = re.compile(r"[\x01-\x08\x0b\x0c\x0e-\x1f]")
_INVISIBLE = re.compile(
    r"[\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff\U000e0000-\U000e007f]"
    r"|[\ufe00-\ufe0f\U000e0100-\U000e01ef]{2}"
)
_MARKUP = re.compile(r"<\|[a-z_]{1,32}\|>|\[/?INST\]|<</?SYS>>|<script\b", re.IGNORECASE)
_COMMAND = (
    r"(?:[./a-z]{0,16}/)?(?:(?:rm|cat|ls|sh|bash|zsh|curl|wget|nc|ncat|python3?|perl|whoami|uname|chmod|chown|sudo|eval"
    r"|printenv|base64|nslookup|mkfifo|scp|powershell|certutil)(?![\w.:=-])"
    r"|(?:id|env)(?=[ \t]{0,4}(?:[;|&)`]|\Z))|(?:sleep|ping)[ \t]{1,4}[-0-9])"
)
_SHELL = re.compile(
    rf"(?:;|&&|\|\||\$\()[ \t]{{0,4}}{_COMMAND}"
    rf"|(?<=[\w;|&=/.$-])`{_COMMAND}"  # glued to what is before it, unlike the code spans of Markdown
    # a cell of a Markdown table ends with another bar
    r"|\|[ \t]{0,4}(?:sh|bash|zsh|nc|ncat|xargs|base64|sudo|curl|wget)(?![\w.:=-])(?![ \t]{0,64}\|)"
)
_SQL = re.compile(
    r"['\";]\s{0,8}\)?\s{0,8}(?:union\s{1,8}(?:all\s{1,8})?select\b|drop\s{1,8}(?:table|database)\b"
    r"|(?:delete\s{1,8}from|insert\s{1,8}into|alter\s{1,8}table|truncate\s{1,8}table)\b"
    r"|(?:or|and)\s{1,8}['\"]?(\w{1,16})['\"]?\s{0,8}=\s{0,8}['\"]?\1\b)",
    re.IGNORECASE,
)
_RUN_CHARACTERS = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_")
_RUNS = bytes(0x61 if byte in _RUN_CHARACTERS else 0x20 for byte in range(256))
_A_LONG_RUN = b"a" * LONG_RUN


def features_of(value: object) -> str:
    """The features as compact JSON with sorted keys. Walks level by level: any depth, without recursion."""
    depth = keys = longest = 0
    texts_left, left, cut = MAX_STRINGS, MAX_VALUES, False
    flags: set[str] = set()
    level: Iterable[object] = (value,)
    while True:
        texts: list[str] = []
        below: list[object] = []
        nested = False
        for item in level:
            if isinstance(item, str):
                texts.append(item)
            elif isinstance(item, dict):
                nested = True
                keys += len(item)
                if len(item) > left:
                    cut = True
                    item = dict(islice(item.items(), max(left, 0)))
                left -= len(item)
                texts += item
                below += item.values()
            elif isinstance(item, list):
                nested = True
                if len(item) > left:
                    cut = True
                left -= len(item)
                below += item[: max(left + len(item), 0)]
        if len(texts) > texts_left:
            cut = True
            longest = max(longest, *map(len, texts))
            del texts[texts_left:]
        texts_left -= len(texts)
        longest_here, cut_here = _look_through(texts, flags)
        longest, cut = max(longest, longest_here), cut or cut_here
        if not nested:
            return _told(depth, flags, keys, longest, cut)
        depth += 1
        level = below


class Names(NamedTuple):
    """What the names of an object's members add to its features."""

    keys: int
    longest: int
    flags: frozenset[str]


def names_of(value: dict[str, object]) -> Names:
    """Of an object that is within the bounds."""
    flags: set[str] = set()
    longest, _ = _look_through(value, flags)
    return Names(len(value), longest, frozenset(flags))


def features_of_flat(names: Names, values: Iterable[object]) -> str:
    """The same as `features_of` an object with these names and values, none of which is an object or an array."""
    keys, longest_name, known = names
    flags = set(known)
    longest, cut = _look_through(values, flags)
    return _told(1, flags, keys, longest if longest > longest_name else longest_name, cut)


def _told(depth: int, flags: set[str], keys: int, longest: int, cut: bool) -> str:
    listed = '"' + '","'.join(sorted(flags)) + '"' if flags else ""
    told = '"cut":true,' if cut else ""
    return f'{{{told}"depth":{depth},"flags":[{listed}],"keys":{keys},"longest":{longest}}}'


def _look_through(values: Iterable[object], flags: set[str]) -> tuple[int, bool]:
    """Adds the flags of the strings among the values: the longest one's length, and whether one was too long."""
    longest, cut = 0, False
    for text in values:
        if not isinstance(text, str):
            continue
        size = len(text)
        if size > longest:
            longest = size
        if size > HEAD + TAIL:
            cut = True
            _look(text[:HEAD], flags)
            _look(text[-TAIL:], flags)
        elif size >= LONG_RUN or not (text.isascii() and text.replace(" ", "").isalnum()):
            _look(text, flags)
    return longest, cut


def _look(text: str, flags: set[str]) -> None:
    """The tests by `in` cost 30 ns each and spare nearly every string the regexes."""
    if not text.isprintable():
        if "\0" in text:
            flags.add("null_byte")
        if _CONTROL.search(text):
            flags.add("control")
    if not text.isascii() and _INVISIBLE.search(text):
        flags.add("invisible")
    if ".." in text and ("../" in text or "..\\" in text):
        flags.add("traversal")
    if "://" in text:
        flags.add("url")
    if "${" in text or "{{" in text:
        flags.add("template")
    if ("<" in text or "[" in text) and _MARKUP.search(text):
        flags.add("markup")
    if (";" in text or "|" in text or "`" in text or "&&" in text or "$(" in text) and _SHELL.search(text):
        flags.add("shell")
    if ("'" in text or '"' in text or ";" in text) and _SQL.search(text):
        flags.add("sql")
    if len(text) >= LONG_RUN and _A_LONG_RUN in text.encode("utf-8", "replace").translate(_RUNS):
        flags.add("long_run")
