"""Makes hidden characters of a text visible, and names them. Text of a server reaches a terminal only through here."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from typing import Final

from mcpobs.terminal import printable

_UNSEEN: Final = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U0001d159\U000e0100-\U000e01ef]"
)
"""Characters that Python calls printable and most fonts draw as nothing."""
_SPACES: Final = re.compile(r" {8,}")
_WORD: Final = re.compile(r"[^\W\d_]{2,}")
_ALPHABETS: Final = ("LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE")
"""Alphabets with letters that look alike."""
MAX_NAMED: Final = 12


def visible(text: str) -> str:
    """Returns the text on one line, with hidden and control characters as escapes."""
    text = printable(text)
    if not text.isascii():
        text = _UNSEEN.sub(lambda found: _escape(found[0]), text)
    return _SPACES.sub(lambda found: f"[{len(found[0])} spaces]", text)


def oddities(text: str) -> list[str]:
    """Returns a phrase for each kind of hidden character, and for each word of letters from several alphabets."""
    if text.isascii() and text.isprintable():
        return []
    hidden = Counter(char for char in text if _is_hidden(char))
    found = [f"{_code(char)} {_name(char)} × {count}" for char, count in sorted(hidden.items())]
    found += _mixed(text)
    return found[:MAX_NAMED] + ([f"and {len(found) - MAX_NAMED} more"] if len(found) > MAX_NAMED else [])


def _is_hidden(char: str) -> bool:
    return char not in "\n\r\t" and (printable(char) != char or _UNSEEN.match(char) is not None)


def _mixed(text: str) -> Iterator[str]:
    seen = set()
    for word in _WORD.findall(text):
        if word.isascii() or word in seen:
            continue
        seen.add(word)
        alphabets = {name for char in word if (name := _name(char).partition(" ")[0]) in _ALPHABETS}
        if len(alphabets) > 1:
            odd = next(char for char in word if not char.isascii())
            yield f"the word {visible(word[:40])} mixes alphabets: {_code(odd)} {_name(odd)}"


def _code(char: str) -> str:
    return f"U+{ord(char):04X}"


def _name(char: str) -> str:
    return unicodedata.name(char, "CONTROL" if ord(char) < 0xA0 else "UNNAMED")


def _escape(char: str) -> str:
    return f"\\u{ord(char):04x}" if ord(char) <= 0xFFFF else f"\\U{ord(char):08x}"
