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
MAX_TEXT: Final = 8_192
"""Characters that are looked at: a mask needs the whole secret, which may be longer than the recorded line."""
_TRACEBACK: Final = "Traceback (most recent call last):"
_KEY_BLOCK: Final = "-----BEGIN "
_UNPRINTABLE = re.compile(r"[\s\x00-\x1f\x7f-\xa0\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]+")
_SURROGATES = re.compile(r"[\ud800-\udfff]")
_URL = re.compile(r"\b([A-Za-z][A-Za-z0-9+.-]{0,31})://([^\s\"<>`]*)")
_HOST = re.compile(r"[A-Za-z0-9._-]{1,253}(:[0-9]{1,5})?")
_AFTER_URL: Final = ".,;:'!?)]}"
_WORD = re.compile(r"[A-Za-z0-9_+=~%$!-]{9,}")
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
        line = _WORD.sub(_without_id, _URL.sub(_bare_url, line))
    return line if len(line) <= MAX_LINE else line[: MAX_LINE - 1] + "…"


def _line(text: str) -> str:
    """Returns the first line that says something: of a Python traceback the last one, which has the exception."""
    window = text[:MAX_TEXT].strip()
    lines = window.splitlines() or [""]
    first = lines[0]
    if first.startswith(_TRACEBACK):
        later = [line for line in lines[1:] if line[:1].strip()]
        first = later[-1] if later else ""
    if len(text) > MAX_TEXT and first is lines[-1]:
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
    word = match[0]
    digits = sum(character.isdigit() for character in word)
    if not digits and len(word) < 2 * _LONG:
        return word
    if _DATE.fullmatch(word):
        return word
    is_number = digits == len(word)
    is_hex = len(word) >= _LONG and digits >= 2 and _HEX.fullmatch(word) is not None
    is_mixed = len(word) >= _LONG and digits >= 3 and digits < len(word)
    return "[id]" if is_number or is_hex or is_mixed or looks_secret(word) else word
