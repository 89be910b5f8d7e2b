"""Folds what a text looks like: compatibility forms, accents and invisible characters."""

from __future__ import annotations

import codecs
import re
import unicodedata
from functools import lru_cache

from mcpobs.detect.injection.regex import compiled

INVISIBLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f"
    "\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff"
)
_REMOVED = re.compile(f"[\u0300-\u036f{INVISIBLE}]+")
_ANY_REMOVED = compiled(f"[\u0300-\u036f{INVISIBLE}]")
_ANY_INVISIBLE = compiled(f"[{INVISIBLE}]")


_WITHOUT_FORM = (("đ", "d"), ("Đ", "D"), ("ł", "l"), ("Ł", "L"), ("ø", "o"), ("Ø", "O"), ("ı", "i"))
"""Letters whose stroke or missing dot Unicode does not count as an accent."""

_LONG_FORM = re.compile("[\ufdfa\ufdfb]")
"""Ligatures whose compatibility form has eighteen letters: a text of them would grow as much."""


FEW_FOREIGN = 100
"""So many characters that are not ASCII are folded by themselves, a run at a time."""

_ASCII = bytes(range(128))


def folded(text: str) -> str:
    """Returns the text without accents and invisible characters, in compatibility form. ASCII stays as it is."""
    if text.isascii():
        return text
    foreign = text.encode("utf-8", "surrogatepass").translate(None, _ASCII).decode("utf-8", "surrogatepass")
    if len(foreign) > FEW_FOREIGN:
        return _folded(text)
    if _folded(foreign) == foreign:
        return text
    return text.encode("ascii", _HANDLER).decode("utf-8", "surrogatepass")


def _folded(text: str) -> str:
    if not unicodedata.is_normalized("NFKD", text):
        text = _LONG_FORM.sub(" ", text)
        text = unicodedata.normalize("NFKD", text)
    if _ANY_REMOVED.search(text.encode("utf-8", "replace")):  # RE2 needs a tenth of the time that `re` does
        text = _REMOVED.sub("", text)
    for letter, plain in _WITHOUT_FORM:
        text = text.replace(letter, plain)
    return text if unicodedata.is_normalized("NFC", text) else unicodedata.normalize("NFC", text)


@lru_cache(1024)
def _folded_run(run: str) -> bytes:
    return _folded(run).encode("utf-8", "surrogatepass")


def _fold(error: UnicodeError) -> tuple[bytes, int]:
    """Folds what cannot be encoded in ASCII: the codec finds the runs ten times as fast as `re` does."""
    assert isinstance(error, UnicodeEncodeError)
    return _folded_run(error.object[error.start : error.end]), error.end


_HANDLER = "mcpobs.fold"
codecs.register_error(_HANDLER, _fold)


def hides(text: str) -> bool:
    """Whether a text holds invisible characters."""
    return _ANY_INVISIBLE.search(text.encode("utf-8", "replace").translate(None, _ASCII)) is not None
