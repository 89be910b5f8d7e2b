"""Phone numbers.

What it does: takes a number with `+` and a country code that exists; a number of the North American plan with its area
in brackets or with hyphens, if no label names another number; and any other 7 to 15 digits if the nearest label says
phone (before: `phone`, `tel`, `call me on`; after: `office`, `fax`), also as the key of a JSON member or the column of
a table. Dates, IP addresses and numbers with a unit are none.
Source: ITU-T E.164 (country codes, at most 15 digits); NANPA, area and exchange codes are [2-9]xx.
"""

from __future__ import annotations

import re

from mcpobs.detect.personal.engine import Pattern
from mcpobs.detect.personal.found import Found
from mcpobs.detect.personal.labels import CALLING, OTHER, PHONES, PHONES_AFTER, label
from mcpobs.detect.personal.page import Page
from mcpobs.detect.personal.run import Run

_EXTENSION = Pattern(rb" ?(?:x|ext\.?|extension) ?[0-9]{1,6}\b")
_PHONE_PREFIXES = (b"phone", b"telefon", b"telephone")
_COUNTRIES = re.compile(
    rb"1|7|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]|2[1-689][0-9]|3[578][0-9]|42[0-9]|5[09][0-9]|"
    rb"6[7-9][0-9]|8[0578][0-9]|9[679][0-9]"
)


def check(page: Page, run: Run) -> Found | None:
    start, plus, bracket = _beginning(run)
    end = _end(page.data, run.end)
    if end is None or not _is_plausible(run, plus):
        return None
    if (plus and _is_international(run.digits)) or _is_labelled(page, run, start, end):
        return Found("phone", start, end)
    if _is_north_american(run, bracket) and label(page.words_before(start)) not in OTHER:
        return Found("phone", start, end)
    return None


def _beginning(run: Run) -> tuple[int, bool, bool]:
    """Returns where the number begins, and whether with a plus sign or an opening bracket."""
    start, plus, bracket = run.start, False, False
    if run.data[start - 1 : start] == b"(" and b")" in run.text:
        start, bracket = start - 1, True
    if run.data[start - 1 : start] == b"+" and start >= 1:
        start, plus = start - 1, not run.data[max(0, start - 2) : start - 1].isalnum()
    return start, plus, bracket


def _end(data: bytes, end: int) -> int | None:
    """Returns where the number ends, with its extension; None if it goes on as a word."""
    extension = _EXTENSION.at(data[end : end + 20])
    if extension is not None:
        return end + extension
    return None if data[end : end + 1].isalpha() else end


def _is_plausible(run: Run, plus: bool) -> bool:
    size, lengths = len(run.digits), run.lengths
    if not 7 <= size <= 15 or b"//" in run.text or b".." in run.text or b"--" in run.text:
        return False
    if run.separators == b"..." and max(lengths) <= 3 and not plus:
        return False  # an IP address or a version
    return not (lengths[:3] in ((4, 2, 2), (2, 2, 4)) and run.separators[:2] in (b"--", b"//", b".."))  # a date


def _is_international(digits: bytes) -> bool:
    return len(digits) >= 8 and _COUNTRIES.match(digits) is not None


def _is_north_american(run: Run, bracket: bool) -> bool:
    lengths, digits = run.lengths, run.digits
    if lengths[:1] == (1,) and digits[:1] == b"1":
        lengths, digits = lengths[1:], digits[1:]
    if lengths != (3, 3, 4) or digits[0] < 50 or digits[3] < 50:
        return False
    return bracket or set(run.separators) == {45}


def _is_labelled(page: Page, run: Run, start: int, end: int) -> bool:
    words = page.words_before(start)
    called = label(words)
    if called in PHONES or called.startswith(_PHONE_PREFIXES):
        return True
    if called in CALLING and words[0] != called:
        return True
    after = page.words_after(end) if run.separators and page.byte(end) in b" \t(" else []
    return bool(after) and after[0] in PHONES_AFTER
