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
from collections.abc import Collection, Iterable
from itertools import islice

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
    """The features as compact JSON with sorted keys."""
    walk = _Walk()
    walk.over(value)
    cut = '"cut":true,' if walk.cut else ""
    flags = ",".join([f'"{flag}"' for flag in sorted(walk.flags)])
    return f'{{{cut}"depth":{walk.depth},"flags":[{flags}],"keys":{walk.keys},"longest":{walk.longest}}}'


class _Walk:
    """One value, level by level: nesting of any depth, without recursion."""

    __slots__ = ("_strings", "_values", "cut", "depth", "flags", "keys", "longest")

    def __init__(self) -> None:
        self.depth = self.keys = self.longest = 0
        self.flags: set[str] = set()
        self.cut = False
        self._strings = self._values = 0

    def over(self, value: object) -> None:
        level = [value]
        while level:
            containers = self._leave_texts(level)
            if not containers:
                return
            self.depth += 1
            level = []
            for container in containers:
                if isinstance(container, dict):
                    self.keys += len(container)
                    self._leave_texts(self._taken(container))
                    level += self._taken(container.values())
                else:
                    level += self._taken(container)
                self._values += len(container)

    def _taken(self, values: Collection[object]) -> Iterable[object]:
        left = MAX_VALUES - self._values
        if len(values) <= left:
            return values
        self.cut = True
        return islice(values, max(left, 0))

    def _leave_texts(self, values: Iterable[object]) -> list[dict[str, object] | list[object]]:
        """Looks at the texts among the values; the containers are still to be looked into."""
        containers: list[dict[str, object] | list[object]] = []
        for value in values:
            if isinstance(value, str):
                if len(value) > self.longest:
                    self.longest = len(value)
                self._strings += 1
                if self._strings > MAX_STRINGS:
                    self.cut = True
                elif len(value) <= HEAD + TAIL:
                    _look(value, self.flags)
                else:
                    self.cut = True
                    _look(value[:HEAD], self.flags)
                    _look(value[-TAIL:], self.flags)
            elif isinstance(value, dict | list):
                containers.append(value)
        return containers


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
