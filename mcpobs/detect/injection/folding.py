"""Folds what a text looks like: compatibility forms, accents and invisible characters."""

from __future__ import annotations

import re
import unicodedata

INVISIBLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f"
    "\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff"
)
_REMOVED = re.compile(f"[\u0300-\u036f{INVISIBLE}]+")


def folded(text: str) -> str:
    """Returns the text without accents and invisible characters, in compatibility form. ASCII stays as it is."""
    if text.isascii():
        return text
    return unicodedata.normalize("NFC", _REMOVED.sub("", unicodedata.normalize("NFKD", text)))
