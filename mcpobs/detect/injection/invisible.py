"""Characters that nobody sees: removes them, decodes what they hide, and reports the kinds that texts have no use for.

Joiners of emoji and of Persian and Indic words, the flags of emoji, byte order marks and soft hyphens are in ordinary
use and are no findings.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from mcpobs.detect.injection.folding import INVISIBLE

_INVISIBLE = re.compile(f"[{INVISIBLE}]+")
_FLAG = re.compile("\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{2,6}\U000e007f")
_TAGS = re.compile("[\U000e0020-\U000e007e]{4,}")
_VARIATIONS = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]{3,}")
_REVERSED = re.compile("[\u202e\u2067]([^\u202c\u2069\n]{4,2000})")
_BIDI = re.compile("[\u202d\u202e]|(?<=[a-zA-Z])[\u202a\u202b\u2066\u2067\u200f][a-zA-Z]")
_SPLIT = re.compile("[a-zA-Z][\u200b\u200c\u200d\u2060-\u2064\ufeff\u180e\u00ad\u034f\u115f\u3164]+(?=[a-zA-Z])")
FEWEST_SPLITS = 3


class Hidden(NamedTuple):
    kind: str
    text: str
    start: int
    end: int


def hidden(text: str) -> Iterator[Hidden]:
    """Yields the places of hidden characters with what they say, if they say something."""
    without_flags = _FLAG.sub(lambda flag: " " * len(flag[0]), text)
    for run in _TAGS.finditer(without_flags):
        yield Hidden("tags", "".join(chr(ord(each) - 0xE0000) for each in run[0]), *run.span())
    for run in _VARIATIONS.finditer(text):
        yield Hidden("variations", bytes(map(_variation, run[0])).decode("utf-8", "replace"), *run.span())
    for turned in _REVERSED.finditer(text):
        yield Hidden("bidi", turned[1][::-1], *turned.span())
    for found in _BIDI.finditer(text):
        yield Hidden("bidi", "", *found.span())
        break
    splits = list(_SPLIT.finditer(text[:200_000]))
    if len(splits) >= FEWEST_SPLITS:
        yield Hidden("split", "", splits[0].start(), splits[-1].end())


def _variation(selector: str) -> int:
    point = ord(selector)
    return point - 0xFE00 if point <= 0xFE0F else point - 0xE0100 + 16


def spaced(text: str) -> str:
    """Returns the text with hidden characters between letters read as spaces."""
    return _INVISIBLE.sub(" ", text)
