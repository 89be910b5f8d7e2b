"""Payment cards.

What it does: takes 12 to 19 digits, together or in the groups that cards print (4-4-4-4, 4-6-5, 4-6-4), with a correct
check digit, if the label says card, or if the issuer and the length exist and no label names another number.
Source: ISO/IEC 7812-1 (numbering, Luhn check digit); issuer ranges as published by the networks.
"""

from __future__ import annotations

from mcpobs.detect.personal.found import Found
from mcpobs.detect.personal.labels import CARDS, OTHER, label
from mcpobs.detect.personal.page import Page
from mcpobs.detect.personal.run import Run

_GROUPED = frozenset(((4, 4, 4, 4), (4, 6, 5), (4, 6, 4), (4, 4, 4, 4, 3), (4, 4, 4, 4, 1), (4, 4, 4, 4, 2), (6, 13)))
# First digits (low, high), lengths.
_ISSUERS: tuple[tuple[int, int, frozenset[int]], ...] = (
    (4, 4, frozenset((13, 16, 19))),  # Visa
    (51, 55, frozenset((16,))),  # Mastercard
    (2221, 2720, frozenset((16,))),
    (34, 34, frozenset((15,))),  # American Express
    (37, 37, frozenset((15,))),
    (6011, 6011, frozenset((16, 19))),  # Discover
    (644, 649, frozenset((16, 19))),
    (65, 65, frozenset((16, 19))),
    (3528, 3589, frozenset((16, 17, 18, 19))),  # JCB
    (2131, 2131, frozenset((15,))),
    (1800, 1800, frozenset((15,))),
    (300, 305, frozenset((14, 16))),  # Diners Club
    (3095, 3095, frozenset((14, 16))),
    (36, 36, frozenset((14, 16))),
    (38, 39, frozenset((14, 16))),
    (62, 62, frozenset((16, 17, 18, 19))),  # UnionPay
    (81, 81, frozenset((16, 17, 18, 19))),
    (2200, 2204, frozenset((16, 17, 18, 19))),  # Mir
    (60, 60, frozenset((16,))),  # RuPay
)
_DOUBLED = bytes.maketrans(b"0123456789", b"0246813579")


def check(page: Page, run: Run) -> Found | None:
    size = len(run.digits)
    if not 12 <= size <= 19 or not _passes_luhn(run.digits) or run.digits == run.digits[:1] * size:
        return None
    together = not run.separators
    if not together and (
        run.lengths not in _GROUPED or len(set(run.separators)) != 1 or run.separators[0] not in b" -"
    ):
        return None
    called = label(page.words_before(run.start))
    if called not in CARDS and (not _is_issued(run.digits) or (together and called in OTHER)):
        return None
    return Found("card", run.start, run.end)


def _passes_luhn(digits: bytes) -> bool:
    return (sum(digits[-1::-2]) + sum(digits[-2::-2].translate(_DOUBLED)) - 48 * len(digits)) % 10 == 0


def _is_issued(digits: bytes) -> bool:
    size = len(digits)
    return any(size in lengths and low <= int(digits[: len(str(low))]) <= high for low, high, lengths in _ISSUERS)
