"""Letters moved along the alphabet (rot13 and the other shifts), mirrored alphabets and texts written backwards.

A shifted word that attacks need betrays the cipher; the words beside it are then shifted back.
"""

from __future__ import annotations

from string import ascii_lowercase as ALPHABET

from mcpobs.detect.injection.codings.coding import Coding

WORDS = (
    "instruction",
    "previous",
    "ignore",
    "system",
    "password",
    "prompt",
    "disregard",
    "guidelines",
    "assistant",
    "developer",
    "attacker",
    "override",
)


def _table(letters: str) -> bytes:
    return bytes.maketrans((letters + letters.upper()).encode(), (ALPHABET + ALPHABET.upper()).encode())


_ALPHABETS = [ALPHABET[shift:] + ALPHABET[:shift] for shift in range(1, 26)] + [ALPHABET[::-1]]
_TABLES = {
    word.translate(str.maketrans(ALPHABET, letters)).encode(): _table(letters)
    for letters in _ALPHABETS
    for word in WORDS
}


def _shifted(text: bytes, word: bytes) -> str | None:
    table = _TABLES.get(word.lower())
    return text.translate(table).decode("utf-8", "replace") if table else None


def _backwards(text: bytes, _: bytes) -> str | None:
    return "\n".join(line[::-1] for line in text.decode("utf-8", "replace").split("\n"))


CODINGS = (
    Coding("shifted", rf"(?:{'|'.join(sorted(word.decode() for word in _TABLES))})", _shifted, around=400),
    Coding("backwards", rf"(?:{'|'.join(word[::-1] for word in WORDS)})", _backwards, around=400),
)
