"""The readings of a text that patterns look at: as it is, and normalised."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff]+"
)


@dataclass(frozen=True, slots=True)
class Layer:
    """One reading. `base` is the place of the original that it was made from; None if it is the original itself."""

    text: str
    kind: str = "plain"
    base: tuple[int, int] | None = None

    def span(self, start: int, end: int) -> tuple[int, int]:
        return (start, end) if self.base is None else self.base


def layers(text: str) -> Iterator[Layer]:
    plain = text.replace("\\n", " \n") if "\\n" in text else text  # the same length, so places stay
    if plain.isascii():
        yield Layer(plain)
        return
    folded = INVISIBLE.sub("", unicodedata.normalize("NFKC", plain))
    yield Layer(folded)
