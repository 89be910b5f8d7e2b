"""Spellings that people still read: digits for letters, letters set apart, and words with a slip.

Only words that attacks need open these gates, because plain texts are full of identifiers with digits.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from string import ascii_lowercase as ALPHABET

from mcpobs.detect.injection.codings.coding import Coding
from mcpobs.detect.injection.codings.segments import segmented

SHORTEST_REPLACED = 8

_WORD_LIST = """
    ignore instructions instruction previous disregard system prompt password override forget guidelines assistant
    developer filters restrictions reveal delete execute bypass everything user users please access secret respond
    response forward unrestricted rules safety security above earlier directives message reader reading agent
    important without before credentials immediately follow transfer commands mode model send email tell
"""
WORDS = tuple(_WORD_LIST.split())

LOOKALIKES = {
    "a": "a4@",
    "b": "b8",
    "c": "c(",
    "e": "e3€",
    "g": "g96",
    "i": "i1!|l",
    "l": "l1|!i",
    "o": "o0",
    "s": "s5$",
    "t": "t7+",
    "z": "z2",
}


def _leet_words() -> Iterator[str]:
    """Yields an expression per word and place: the letter there is none, the letters after it may be."""
    for word in WORDS:
        for place, letter in enumerate(word):
            odd = LOOKALIKES.get(letter, "")[1:].replace("i", "").replace("l", "")
            if odd:
                rest = "".join(f"[{re.escape(LOOKALIKES.get(each, each))}]" for each in word[place + 1 :])
                yield f"{word[:place]}[{re.escape(odd)}]{rest}"


_LEET = str.maketrans("4@83€960$57+", "aabeeggosstt")
_AMBIGUOUS = re.compile(r"[1!|]")


def _plain(text: bytes, _: bytes) -> str | None:
    """Returns the text twice: with every ambiguous sign read as i, and as l."""
    letters = text.decode("utf-8", "replace").translate(_LEET)
    return (
        _AMBIGUOUS.sub("i", letters)
        + "\n\n"
        + _AMBIGUOUS.sub("l", letters)
        + "\n\n"
        + _WITHIN.sub("l", letters.replace("1", "i"))
    )


_WITHIN = re.compile(r"[!|]")


def _joined(run: bytes, _: bytes) -> str | None:
    words = re.sub(r"\s{3,}| [/|] ", "\n", run.decode("utf-8", "replace"))
    return segmented(re.sub(r"(?<=\w)[ \t.\-_*·|/]{1,2}(?=\w(?!\w))", "", words))


_SLIPPED_LIST = """
    ignore instructions instruction previous disregard system prompt password override forget guidelines assistant
    developer restrictions reveal credentials directives unrestricted commands
"""
SLIPPED = tuple(_SLIPPED_LIST.split())


def _slips() -> dict[str, str]:
    """Returns the misspellings of longer words: a letter left out, put in or wrong, or two changed about."""
    made: dict[str, str] = {}
    for word in SLIPPED:
        for place in range(1, len(word)):
            head, letter, tail = word[:place], word[place], word[place + 1 :]
            made[head + tail] = word
            made[head[:-1] + letter + head[-1] + tail] = word
            for other in ALPHABET:
                made[head + other + letter + tail] = word
                if len(word) >= SHORTEST_REPLACED:
                    made[head + other + tail] = word
    return {slip: word for slip, word in made.items() if slip not in REAL and slip not in WORDS}


def _slip_expression() -> str:
    """Returns the misspellings as an expression that is a tenth as long as their list."""
    forms = []
    for word in SLIPPED:
        for place in range(1, len(word)):
            head, letter, tail = word[:place], word[place], word[place + 1 :]
            forms += [head + tail, head[:-1] + letter + head[-1] + tail, f"{head}[a-z]{letter}{tail}"]
            if len(word) >= SHORTEST_REPLACED:
                forms.append(f"{head}{_but(letter)}{tail}")
    return rf"\b(?:{'|'.join(dict.fromkeys(form for form in forms if form not in REAL and form not in WORDS))})\b"


def _but(letter: str) -> str:
    place = ALPHABET.index(letter)
    before, after = ALPHABET[:place], ALPHABET[place + 1 :]
    return "[" + "".join(f"{part[0]}-{part[-1]}" for part in (before, after) if part) + "]"


_REAL_LIST = """
    promt filers filer reveals revels revel revealed message messages forgets forger forged forges rulers
    everythings passwords restriction instruction direction directive detectives command comments agents
    assistants developers developed credential restrictive
"""
REAL = frozenset(_REAL_LIST.split())
"""Words that are no slips of others."""

_SLIPS = _slips()
_LONG_WORD = re.compile(r"[A-Za-z]{5,}")


def _corrected(text: bytes, slip: bytes) -> str | None:
    if slip.decode().lower() not in _SLIPS:
        return None
    return _LONG_WORD.sub(lambda word: _SLIPS.get(word[0].lower(), word[0]), text.decode("utf-8", "replace"))


CODINGS = (
    Coding("leet", rf"(?:{'|'.join(_leet_words())})", _plain, around=300),
    Coding(
        "spaced",
        r"\b(?:\w[\s.\-_*·|/]{1,2}){5}\w\b",
        _joined,
        run=r"(?:\w[\s.\-_*·|/]{1,3}){5,}\w\b(?:[\s.,;:!?]{1,3}(?:\w[\s.\-_*·|/]{1,3}){1,}\w\b)*",
        counts=True,
    ),
    Coding("slip", _slip_expression(), _corrected, around=200),
)
