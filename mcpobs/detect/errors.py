"""Reduces the text of a failure to one line that may be recorded. Keeps no text and logs none.

`masked` replaces personal data, secrets, long ids and what a URL holds beside its host; `full` replaces secrets only.
The recognisers are loaded at the first failure (10 ms, and google-re2 7 ms); without google-re2 the same patterns run
in Python's `re`, over at most `MAX_TEXT` characters.
"""

from __future__ import annotations

import re
from typing import Final

from mcpobs.masking import looks_secret, masked_host
from mcpobs.settings import ErrorTexts

MAX_LINE: Final = 200
MAX_TEXT: Final = 2_048
"""Characters that are looked at: a mask needs the whole secret, which may be longer than the recorded line. A hostile
text takes 5 to 10 ms."""
_TRACEBACK: Final = "Traceback (most recent call last):"
_KEY_BLOCK: Final = "-----BEGIN "
_UNPRINTABLE = re.compile(r"[\s\x00-\x1f\x7f-\xa0\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]+")
_SURROGATES = re.compile(r"[\ud800-\udfff]")
_URL = re.compile(r"\b([A-Za-z][A-Za-z0-9+.-]{0,31})://([^\s\"<>`]*)")
_HOST = re.compile(r"[A-Za-z0-9._-]{1,253}(:[0-9]{1,5})?")
_AFTER_URL: Final = ".,;:'!?)]}"
_WORD = re.compile(r"[A-Za-z0-9_+=~%$!-]{9,}")
_BASE64 = re.compile(r"[A-Za-z0-9+/]{24,}={0,2}")
_PREFIXED = re.compile(r"[a-z]{2,8}_[A-Za-z0-9]{8,}")
_NUMBERS = re.compile(r"[0-9]+")
_CHANGES = re.compile(r"[a-z](?=[A-Z])|[A-Z](?=[a-z])")
_CAPITALS = re.compile(r"[A-Z]{2,}")
_DATE = re.compile(r"(19|20)[0-9]{2}-[0-9]{2}-[0-9]{2}(T[0-9]{2})?")
_HEX = re.compile(r"[0-9A-Fa-f-]+")
_LONG: Final = 12


def recorded_line(text: str, mode: ErrorTexts) -> str | None:
    """Returns the line of a failure's text that is recorded in this mode; None if there is none."""
    line = None if mode == "off" else _line(text)
    if not line:
        return None
    from mcpobs.detect.personal import KINDS, SECRETS, scrub

    line = scrub(line, SECRETS if mode == "full" else KINDS)
    before, block, _ = line.partition(_KEY_BLOCK)
    if block:  # its end is on another line, or is missing
        line = f"{before}[private_key]"
    if mode != "full":
        line = _WORD.sub(_without_id, _BASE64.sub(_without_base64, _URL.sub(_bare_url, line)))
    return line if len(line) <= MAX_LINE else line[: MAX_LINE - 1] + "…"


def _line(text: str) -> str:
    """Returns the first line that says something: of a Python traceback the last one, which has the exception."""
    lines = text[:MAX_TEXT].strip().splitlines() or [""]
    first = lines[0]
    if first.startswith(_TRACEBACK):
        later = text[-MAX_TEXT:].splitlines()[1:]  # the first one may be half a line
        first = next((line for line in reversed(later) if line[:1].strip()), "")
    elif len(text) > MAX_TEXT and len(lines) == 1:
        first = first.rpartition(" ")[0]  # a word that is cut may be half a secret
    return _UNPRINTABLE.sub(" ", _SURROGATES.sub("\ufffd", first)).strip()


def _bare_url(match: re.Match[str]) -> str:
    """Returns a URL with its scheme and host; `/*` stands for its path and query."""
    whole = match[2].rstrip(_AFTER_URL)
    authority = re.split(r"[/?#\\]", whole, maxsplit=1)[0]
    host = authority.rpartition("@")[2]
    shown = masked_host(host) if _HOST.fullmatch(host) else "*"
    return f"{match[1]}://{shown}{'/*' if len(whole) > len(authority) + 1 else ''}{match[2][len(whole) :]}"


def _without_id(match: re.Match[str]) -> str:
    return "[id]" if _is_id(match[0]) else match[0]


def _without_base64(match: re.Match[str]) -> str:
    """Masks base64, whose slashes would make short words of it; a path has few capitals and numbers."""
    word = match[0]
    plain = "/" in word and not _is_irregular(word) and len(_NUMBERS.findall(word)) < 3
    return word if "/" not in word or plain else "[id]"


def _is_id(word: str) -> bool:
    """Returns whether a word looks random: long numbers, hex digits, letters with digits or capitals all over it."""
    digits = sum(character.isdigit() for character in word)
    if digits == len(word):
        return True
    if len(word) < _LONG or _DATE.fullmatch(word):
        return False
    if digits >= 3 or (digits >= 2 and _HEX.fullmatch(word)):
        return True
    mixed = word != word.lower() and word != word.upper()
    several = mixed and len(_NUMBERS.findall(word)) > 1
    prefixed = mixed and digits and _PREFIXED.fullmatch(word)
    return several or bool(prefixed) or _is_irregular(word) or bool(digits and looks_secret(word))


def _is_irregular(word: str) -> bool:
    """Returns whether capitals are spread unlike those of `camelCase` and `HTTPServer`."""
    changes = len(_CHANGES.findall(word))
    inner = len(_CAPITALS.findall(word, 1))
    return (inner > 1 and changes * 3 > len(word)) or (inner > 0 and changes * 2 > len(word))
