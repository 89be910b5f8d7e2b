"""International bank account numbers.

What it does: takes a country code and the length of that country, together or in groups of four, if the check digits
are right. Letters may be of either case.
Source: ISO 13616-1, SWIFT IBAN Registry (lengths); ISO/IEC 7064 MOD 97-10 (check digits).
"""

from __future__ import annotations

from collections.abc import Iterator

from mcpobs.detect.personal.engine import Pattern
from mcpobs.detect.personal.found import Found
from mcpobs.detect.personal.page import Page

KINDS = frozenset(("iban",))
_LENGTHS = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BI": 27, "BR": 29,
    "BY": 28, "CH": 21, "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DJ": 27, "DK": 18, "DO": 28, "EE": 20, "EG": 29,
    "ES": 24, "FI": 18, "FK": 18, "FO": 18, "FR": 27, "GB": 22, "GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28,
    "HN": 28, "HR": 21, "HU": 28, "IE": 22, "IL": 23, "IQ": 23, "IS": 26, "IT": 27, "JO": 30, "KW": 30, "KZ": 20,
    "LB": 28, "LC": 32, "LI": 21, "LT": 20, "LU": 20, "LV": 21, "LY": 25, "MC": 27, "MD": 24, "ME": 22, "MK": 19,
    "MN": 20, "MR": 27, "MT": 31, "MU": 30, "NI": 28, "NL": 18, "NO": 15, "OM": 23, "PK": 24, "PL": 28, "PS": 29,
    "PT": 25, "QA": 29, "RO": 24, "RS": 22, "RU": 33, "SA": 24, "SC": 31, "SD": 18, "SE": 24, "SI": 19, "SK": 24,
    "SM": 27, "SO": 23, "ST": 25, "SV": 28, "TL": 23, "TN": 24, "TR": 26, "UA": 29, "VA": 22, "VG": 24, "XK": 20,
    "YE": 30,
}  # fmt: skip
_CANDIDATE = Pattern(rb"\b[A-Za-z]{2}[0-9]{2}[ -]?[A-Za-z0-9]{4}[ -]?[A-Za-z0-9]{3}")
_LONGEST = 34 + 9


def find(page: Page, kinds: frozenset[str]) -> Iterator[Found]:
    for start, _ in _CANDIDATE.spans(page.data):
        end = _end(page.data, start)
        if end is not None:
            yield Found("iban", start, end)


def _end(data: bytes, start: int) -> int | None:
    """Returns the end of the account number that begins at `start`; None if none does."""
    text = data[start : start + _LONGEST]
    length = _LENGTHS.get(text[:2].decode("latin-1").upper())
    if length is None or data[max(0, start - 1) : start] in (b"_", b"-", b"/", b"."):
        return None
    separator = text[4:5] if text[4:5] in (b" ", b"-") else b""
    size = length + (length - 1) // 4 * len(separator)
    written = text[:size]
    compact = written.replace(separator, b"") if separator else written
    if len(compact) != length or data[start + size : start + size + 1].isalnum() or not compact.isalnum():
        return None
    if separator and any(written[at : at + 1] != separator for at in range(4, size, 5)):
        return None
    return start + size if _is_checked(compact) else None


def _is_checked(compact: bytes) -> bool:
    moved = (compact[4:] + compact[:4]).decode("latin-1")
    return int("".join(str(int(character, 36)) for character in moved)) % 97 == 1
