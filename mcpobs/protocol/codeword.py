"""A value as a word of few letters that says what kind of value it is, and nothing of what it says.

    s 4 - d     a text, 4 to 7 characters, digits only
    s 6 - alw   a text, 32 to 63 characters: small and capital letters, blanks
    s 6 a adl   ... without blanks, of some 32 different characters: small and capital letters, digits
    s 6 8 aptD  ... small letters and the signs of paths; a path that climbs
    n 2 +       a number, 64 to 255        n 0 -  one above -16 and below 0        n 1 + t  one with a fraction
    l 3 5 w     a list of 4 to 7 values, its longest text 16 to 31 characters      o 1 0   an object of one member
    b  z  x     a boolean · null · a value that could not be read

First the type; then the size, a digit or letter that stands for a power of two: characters of a text, items of a list,
members of an object; for numbers a power of four. Third stands for a text without blanks how varied it is: two steps
for each bit of log2 of the different ones among its first 32 characters (Hartley's entropy), so a token of random
letters differs from a path; below 16 characters it is `-`, because it would show which PIN repeats its digits. For
a list or object it is the size of the longest text inside; for a number the sign. The rest are letters in any
combination, each once:

    a small letters      d digits      w blanks       n line breaks, tabs   k other control characters
    l capital letters    i - _         t . ,          c : ! ?               q quotes
    p / \\ ~              b brackets    e @            s ; | & $ `           m # % * + = ^
    u Latin beyond ASCII g Greek, Cyrillic             r Hebrew, Arabic      h scripts of South Asia and others
    y signs of U+2000 on j Chinese, Japanese, Korean   f full width, private o beyond U+FFFF: emoji and others

and the letters of its flags, capitals (`mcpobs/protocol/flags.py`). A long text is looked at in its first 1,024 and
last 256 characters.

What it shows all the same: that a number lies within a factor of four, and nothing below 16 but the sign; the length
of a text within a factor of two, so an empty text and one of a single character, and whether that is a digit or a
letter; whether a value was left out or null. It never shows which boolean it was.
"""

from __future__ import annotations

import math
from functools import lru_cache

from mcpobs.protocol.decode import RawNumber
from mcpobs.protocol.flags import CUT, FLAGS, LONG, TESTS, Tests, flags_of, letters_of

HEAD, TAIL = 65_536, 4_096  # of a text, for its flags
SAMPLE, SAMPLE_TAIL = 1_024, 256  # for its characters
VARIED, VARIED_FROM = 32, 16

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_MOST = len(_DIGITS) - 1
_TEXT = [f"s{_DIGITS[min(bits, _MOST)]}" for bits in range(65)]
_SHORT = [f"s{_DIGITS[size.bit_length()]}-" for size in range(SAMPLE + SAMPLE_TAIL + 1)]
_VARIETY = ["0", *(_DIGITS[round(2 * math.log2(different))] for different in range(1, VARIED + 1))]
_PLUS = [f"n{_DIGITS[min(max(bits - 3, 0) // 2, _MOST)]}+" for bits in range(76)]
_MINUS = [word[:2] + "-" for word in _PLUS]

_ASCII = {
    "a": "abcdefghijklmnopqrstuvwxyz",
    "l": "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "d": "0123456789",
    "w": " ",
    "n": "\n\t\r",
    "i": "-_",
    "t": ".,",
    "c": ":!?",
    "p": "/\\~",
    "q": "'\"",
    "s": ";|&$`",
    "b": "()[]{}<>",
    "e": "@",
    "m": "#%*+=^",
    "k": "".join(chr(code) for code in (*range(9), 11, 12, *range(14, 32), 127)),
}
# By the first byte of a character in UTF-8; the bytes after it say nothing.
_LEADING = (
    (0xC2, 0xCD, "u"), (0xCE, 0xD4, "g"), (0xD5, 0xDF, "r"), (0xE0, 0xE1, "h"), (0xE2, 0xE2, "y"), (0xE3, 0xED, "j"),
    (0xEE, 0xEF, "f"), (0xF0, 0xF4, "o"),
)  # fmt: skip
_CLASS_OF = bytearray(b"?" * 256)
for _class, _members in _ASCII.items():
    for _member in _members:
        _CLASS_OF[ord(_member)] = ord(_class)
for _low, _high, _class in _LEADING:
    _CLASS_OF[_low : _high + 1] = _class.encode() * (_high - _low + 1)
_CLASSES = bytes(_CLASS_OF)

# Which flags the characters of a text allow: those of which it has one of each group. A long run needs none.
_NEEDS: dict[str, tuple[tuple[str, ...], ...]] = {
    "control": (("k",),),
    "instruction": (("al", "wn"), ("ugrhjfo",)),
    "invisible": (("uryhfo",),),
    "long_run": (),
    "markup": (("b",),),
    "null_byte": (("k",),),
    "shell": (("s", "ad"),),
    "sql": (("qs", "al"),),
    "template": (("b",),),
    "traversal": (("t", "p"),),
    "url": (("c", "p"),),
}
_LONG_RUN: Tests = (TESTS[list(FLAGS).index("long_run")],)
_COMMON = b"abcdefghijklmnopqrstuvwxyz "
_Known = dict[bytes, tuple[str, Tests]]
_known: tuple[_Known, ...] = (
    {},
    {},
    {},
    {},
)  # by whether there are blanks, and small letters; then by the other classes
_MAX_KNOWN, _MAX_KNOWN_REST = 2_048, 16


def of_text(text: str, most: int = HEAD + TAIL) -> tuple[str, int]:
    """The word of a text, and its flags; CUT is among those where it was too long to be looked at whole. No more than
    `most` characters are looked at for its flags.

    A set of bytes costs 20 ns for each of them: so what `translate` leaves of them is remembered as it is.
    """
    size = len(text)
    if size < VARIED_FROM and text.isalnum() and text.isascii():
        if text.isdigit():
            return _SHORT[size] + "d", 0
        letters = "dl" if text.isupper() else "ad" if text.islower() else "adl"
        return _SHORT[size] + (letters.replace("d", "") if text.isalpha() else letters), 0
    if size > SAMPLE + SAMPLE_TAIL or size > most:
        return _of_long_text(text, size, most)
    raw = text.encode("utf-8", "surrogatepass")
    rest = raw.translate(_CLASSES, _COMMON)
    blanks = text.count(" ")
    common = (1 if blanks else 0) + (2 if len(rest) + blanks < len(raw) else 0)
    letters, tests = _known[common].get(rest) or _learn(common, rest)
    if blanks or size < VARIED_FROM:
        word = _SHORT[size] + letters
    else:
        word = _SHORT[size][:2] + _VARIETY[len(set(text[:VARIED]))] + letters
    if tests or size >= LONG:
        flags = flags_of(text, tests)
        if size >= LONG:
            flags |= flags_of(text, _LONG_RUN)
        if flags:
            return word + letters_of(flags), flags
    return word, 0


def _of_long_text(text: str, size: int, most: int) -> tuple[str, int]:
    sample = (text[:SAMPLE] + text[-SAMPLE_TAIL:]).encode("utf-8", "surrogatepass").translate(_CLASSES)
    varied = "-" if b"w" in sample or size < VARIED_FROM else _VARIETY[len(set(text[:VARIED]))]
    head = min(HEAD, most - TAIL)
    if head <= 0:
        flags, cut = 0, True
    elif size > head + TAIL:
        flags, cut = flags_of(text[:head]) | flags_of(text[-TAIL:]), True
    else:
        flags, cut = flags_of(text), False
    word = f"{_TEXT[size.bit_length()]}{varied}{_letters(frozenset(sample))}{letters_of(flags)}"
    return word, flags | CUT if cut else flags


def _learn(common: int, rest: bytes) -> tuple[str, Tests]:
    """The letters of the classes of characters, and the tests for flags that they allow."""
    found = _allowed(_letters(frozenset(rest + b"w"[: common & 1] + b"a"[: common >> 1])))
    if len(rest) <= _MAX_KNOWN_REST:
        known = _known[common]
        if len(known) >= _MAX_KNOWN:
            known.clear()
        known[rest] = found
    return found


@lru_cache(maxsize=1_024)
def _allowed(letters: str) -> tuple[str, Tests]:
    tests = tuple(
        test
        for name, test in zip(FLAGS, TESTS, strict=True)
        if any(all(not set(group).isdisjoint(letters) for group in groups) for groups in _NEEDS[name])
    )
    return letters, tests


@lru_cache(maxsize=1_024)
def _letters(classes: frozenset[int]) -> str:
    return "".join(sorted(map(chr, classes - {0x3F})))


def of_scalar(value: object) -> str:
    """The word of what is neither a text nor an array or object."""
    if value is None:
        return "z"
    if value is True or value is False:
        return "b"
    if isinstance(value, int):
        try:
            return (_PLUS if value >= 0 else _MINUS)[value.bit_length()]
        except IndexError:
            return "nz+" if value >= 0 else "nz-"
    if isinstance(value, float):
        if not math.isfinite(value):
            return "x"
        whole = int(value)
        return of_scalar(whole)[:2] + ("+" if value >= 0 else "-") + ("" if whole == value else "t")
    if isinstance(value, RawNumber):
        return "nz" + ("-" if value.text.startswith("-") else "+")
    return "x"


def of_nested(kind: str, members: int, longest: int, flags: int) -> str:
    """The word of a list (`l`) or object (`o`), from all values in it at any depth."""
    return f"{kind}{_size(members)}{_size(longest)}{letters_of(flags)}"


def _size(number: int) -> str:
    return _DIGITS[min(number.bit_length(), _MOST)]
