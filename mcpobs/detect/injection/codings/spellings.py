"""Spellings that people still read: digits for letters, letters set apart, and words with a slip.

Only words that attacks need open these gates, because plain texts are full of identifiers with digits.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from mcpobs.detect.injection.codings.coding import Coding
from mcpobs.detect.injection.codings.segments import segmented

WORDS = (
    "ignore", "instructions", "instruction", "previous", "disregard", "system", "prompt", "password", "override", "forget",
    "guidelines", "assistant", "developer", "filters", "restrictions", "reveal", "delete", "execute", "bypass",
    "everything", "user", "users", "please", "access", "secret", "respond", "response", "forward", "unrestricted", "rules", "safety", "security", "above", "earlier", "directives",
    "message", "reader", "reading", "agent", "important", "without", "before", "credentials", "immediately", "follow", "transfer", "commands", "mode", "model", "send", "email", "tell",
)  # fmt: skip

LOOKALIKES = {
    "a": "a4@", "b": "b8", "c": "c(", "e": "e3€", "g": "g96", "i": "i1!|l", "l": "l1|!i", "o": "o0", "s": "s5$", "t": "t7+", "z": "z2",
}  # fmt: skip


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
    text = run.decode("utf-8", "replace")
    letters = re.sub(r"(?<=\w)[\s.\-_*·|/]{1,2}(?=\w(?!\w))", "", re.sub(r"\s{3,}| [/|] ", "\n", text))
    return segmented(letters)


def _slips() -> dict[str, str]:
    """Returns the misspellings of each longer word: a letter left out, doubled, or two changed about."""
    made: dict[str, str] = {}
    for word in WORDS:
        if len(word) < 6:
            continue
        for place in range(1, len(word)):
            left_out = word[:place] + word[place + 1 :]
            doubled = word[:place] + word[place] + word[place:]
            swapped = word[: place - 1] + word[place] + word[place - 1] + word[place + 1 :]
            for slip in (left_out, doubled, swapped):
                if slip not in _REAL and slip not in WORDS:
                    made.setdefault(slip, word)
            for beside in _NEIGHBOURS.get(word[place], ""):
                made.setdefault(word[:place] + beside + word[place + 1 :], word)
    return {slip: word for slip, word in made.items() if slip not in _REAL and slip not in WORDS}


_NEIGHBOURS = dict(zip("qwertyuiopasdfghjklzxcvbnm", (
    "wa", "qes", "wrd", "etf", "ryg", "tuh", "yij", "uok", "ipl", "o", "qsz", "adwx", "sfec", "dgrv", "fhtb", "gjyn", "hkum", "jlio", "kop", "xa", "zcs", "xvd", "cbf", "vng", "bmh", "nj",
), strict=True))  # fmt: skip

_REAL = frozenset(
    "promt filers filer users elete forge forgets reveals revel ready reding red rules message massage messages follows fellow agents moded models mods mode emails tells sends befor above responds".split()
) - {"promt"}
_SLIPS = _slips()
_SLIP = re.compile(rf"\b(?:{'|'.join(_SLIPS)})\b", re.I)


def _corrected(text: bytes, _: bytes) -> str | None:
    return _SLIP.sub(lambda slip: _SLIPS[slip[0].lower()], text.decode("utf-8", "replace"))


CODINGS = (
    Coding("leet", rf"(?:{'|'.join(_leet_words())})", _plain, around=300),
    Coding(
        "spaced",
        r"\b(?:\w[\s.\-_*·|/]{1,2}){5}\w\b",
        _joined,
        run=r"(?:\w[\s.\-_*·|/]{1,3}){5,}\w\b(?:[\s.,;:!?]{1,3}(?:\w[\s.\-_*·|/]{1,3}){1,}\w\b)*",
    ),
    Coding("slip", rf"\b(?:{'|'.join(_SLIPS)})\b", _corrected, around=200),
)
