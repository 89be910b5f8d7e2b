"""Social security numbers of the United States.

What it does: takes 3-2-4 digits with an area, group and serial number that exist. Hyphens suffice if no label names
another number; spaces or none need a label that says social security or tax.
Source: 20 CFR 422.103; Social Security Administration, "Randomization" (2011): areas 000, 666 and 900 to 999 are never
issued, nor are group 00 and serial 0000.
"""

from __future__ import annotations

from mcpobs.detect.personal.found import Found
from mcpobs.detect.personal.labels import OTHER, SSNS, label
from mcpobs.detect.personal.page import Page
from mcpobs.detect.personal.run import Run

_SAMPLES = frozenset((b"078051120", b"219099999", b"123456789"))  # printed in advertisements and examples


def check(page: Page, run: Run) -> Found | None:
    if len(run.digits) != 9 or not _is_issued(run.digits):
        return None
    separators = run.separators
    hyphens = separators == b"--"
    if separators and (run.lengths != (3, 2, 4) or separators not in (b"--", b"  ")):
        return None
    words = page.words_before(run.start)
    called = label(words)
    labelled = called in SSNS or b"security" in words[:4] or b"tax" in words[:3]
    if not labelled and (not hyphens or called in OTHER):
        return None
    return Found("ssn", run.start, run.end)


def _is_issued(digits: bytes) -> bool:
    area, group, serial = digits[:3], digits[3:5], digits[5:]
    return (
        area not in (b"000", b"666")
        and area[0] != 57
        and group != b"00"
        and serial != b"0000"
        and digits not in _SAMPLES
    )
