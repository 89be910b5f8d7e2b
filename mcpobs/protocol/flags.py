"""Kinds of text that seldom are honest arguments: a closed set, given as bits of a number.

    control      C  a C0 control character other than tab, newline and carriage return
    instruction  O  orders to a model: `ignore all previous instructions`, the marks of a role
    invisible    I  zero-width or bidirectional controls, tag characters, several variation selectors in a row
    long_run     L  256 or more characters of base64 or hex without a break
    markup       M  the tokens of a chat template (`<|im_start|>`, `[INST]`) or a `<script` tag
    null_byte    N  U+0000
    shell        S  a known command after `;`, `|`, `&&`, a backtick or `$(`
    sql          Q  after a quote or a semicolon: union select, drop table, or 1=1, and their like
    template     T  `${` or `{{`
    traversal    D  `../` or `..\\`
    url          U  `://`

They are hints for a report, not verdicts, and err towards silence in prose and code.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from itertools import islice

from mcpobs.protocol.phrases import MIN_LENGTH, gives_orders

FLAGS = {
    "control": "C",
    "instruction": "O",
    "invisible": "I",
    "long_run": "L",
    "markup": "M",
    "null_byte": "N",
    "shell": "S",
    "sql": "Q",
    "template": "T",
    "traversal": "D",
    "url": "U",
}
"""Each flag, in the order of its names, and its letter in a code word."""

ALL = (1 << len(FLAGS)) - 1
CUT = 1 << len(FLAGS)
"""Beside the flags: the text was too long to be looked at whole."""

LONG = 256

_PLACES, _CHARACTERS_A_PLACE = 16, 128
"""Signs in a text (quotes, semicolons, bars) at which a pattern is tried: so many, and one for so many characters."""

# Possessive wherever what follows cannot need a character back, and every repeat is short: no try costs much.
_CONTROL = re.compile(r"[\x01-\x08\x0b\x0c\x0e-\x1f]")
_INVISIBLE = re.compile(
    r"[\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff\U000e0000-\U000e007f]"
    r"|[\ufe00-\ufe0f\U000e0100-\U000e01ef]{2}"
)
_MARKUP = re.compile(r"<(?:\|[a-z_]{1,32}+\|>|</?SYS>>|script\b)|\[/?INST\]", re.IGNORECASE)
_COMMAND = (
    r"(?:[./a-z]{0,16}/)?(?:(?:rm|cat|ls|sh|bash|zsh|curl|wget|nc|ncat|python3?|perl|whoami|uname|chmod|chown|sudo|eval"
    r"|printenv|base64|nslookup|mkfifo|scp|powershell|certutil)(?![\w.:=-])"
    r"|(?:id|env)(?=[ \t]{0,4}+(?:[;|&)`]|\Z))|(?:sleep|ping)[ \t]{1,4}+[-0-9])"
)
_SHELL = re.compile(
    rf"(?:;|&&|\|\||\$\()[ \t]{{0,4}}+{_COMMAND}"
    rf"|(?<=[\w;|&=/.$-])`{_COMMAND}"  # glued to what is before it, unlike the code spans of Markdown
    # a cell of a Markdown table ends with another bar
    r"|\|[ \t]{0,4}+(?:sh|bash|zsh|nc|ncat|xargs|base64|sudo|curl|wget)(?![\w.:=-])(?![ \t]{0,64}+\|)"
)
# A sign with a first letter of what may follow it: most signs of prose and code are none.
_SHELL_SIGN = re.compile(r"(?:;|&&|\|\|?|\$\(|`)(?=[ \t]{0,4}+[./a-z])")
_SQL = re.compile(
    r"['\";]\s{0,8}+\)?\s{0,8}+(?:union\s{1,8}+(?:all\s{1,8}+)?select\b|drop\s{1,8}+(?:table|database)\b"
    r"|(?:delete\s{1,8}+from|insert\s{1,8}+into|alter\s{1,8}+table|truncate\s{1,8}+table)\b"
    r"|(?:or|and)\s{1,8}+['\"]?(\w{1,16}+)['\"]?\s{0,8}+=\s{0,8}+['\"]?\1\b)",
    re.IGNORECASE,
)
_SQL_SIGN = re.compile(r"['\";](?=\s{0,8}+\)?\s{0,8}+(?:un|dr|de|in|al|tr|or|an))", re.IGNORECASE)
_RUN_CHARACTERS = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_")
_RUNS = bytes(0x61 if byte in _RUN_CHARACTERS else 0x20 for byte in range(256))
_A_LONG_RUN = b"a" * LONG


def _found_at(sign: re.Pattern[str], pattern: re.Pattern[str], text: str) -> bool:
    """Whether the pattern matches at one of the first places of its sign."""
    places = _PLACES + len(text) // _CHARACTERS_A_PLACE
    return any(pattern.match(text, place.start()) for place in islice(sign.finditer(text), places))


def _control(text: str) -> bool:
    return not text.isprintable() and _CONTROL.search(text) is not None


def _instruction(text: str) -> bool:
    return (len(text) >= MIN_LENGTH or not text.isascii()) and gives_orders(text)


def _invisible(text: str) -> bool:
    return not text.isascii() and _INVISIBLE.search(text) is not None


def _long_run(text: str) -> bool:
    return len(text) >= LONG and _A_LONG_RUN in text.encode("utf-8", "replace").translate(_RUNS)


def _markup(text: str) -> bool:
    return ("<" in text or "[" in text) and _MARKUP.search(text) is not None


def _null_byte(text: str) -> bool:
    return "\0" in text


def _shell(text: str) -> bool:
    # The tests by `in` cost 30 ns each and spare nearly every string the regexes.
    may = ";" in text or "|" in text or "`" in text or "&&" in text or "$(" in text
    return may and _found_at(_SHELL_SIGN, _SHELL, text)


def _sql(text: str) -> bool:
    return ("'" in text or '"' in text or ";" in text) and _found_at(_SQL_SIGN, _SQL, text)


def _template(text: str) -> bool:
    return "${" in text or "{{" in text


def _traversal(text: str) -> bool:
    return ".." in text and ("../" in text or "..\\" in text)


def _url(text: str) -> bool:
    return "://" in text


Test = Callable[[str], bool]
Tests = tuple[tuple[int, Test], ...]
_TESTS: tuple[Test, ...] = (
    _control, _instruction, _invisible, _long_run, _markup, _null_byte, _shell, _sql, _template, _traversal, _url,
)  # fmt: skip
TESTS: Tests = tuple((1 << place, test) for place, test in enumerate(_TESTS))
"""By the bit of each flag, in the order of FLAGS."""


@cache  # of at most 2,048 sets
def names_of(flags: int) -> tuple[str, ...]:
    """In their order."""
    return tuple(name for place, name in enumerate(FLAGS) if flags >> place & 1)


@cache
def letters_of(flags: int) -> str:
    return "".join(sorted(FLAGS[name] for name in names_of(flags)))


def flags_of(text: str, tests: Tests = TESTS) -> int:
    """The flags of a text, by these tests."""
    flags = 0
    for flag, test in tests:
        if test(text):
            flags |= flag
    return flags
