"""The readings of a text that patterns look at: normalised, with look-alikes folded, and with hidden text shown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mcpobs.detect.injection import confusables, invisible
from mcpobs.detect.injection.folding import folded, hides

BESIDE = 40
"""Characters beside the first and the last hidden one that belong to their words."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One reading. `base` is the place in the original that it was made from; None if it is all of it."""

    text: str
    kind: str = "plain"
    base: tuple[int, int] | None = None


def normalised(text: str) -> str:
    """Returns the text that patterns look at first. ASCII keeps its length, so places stay."""
    plain = text.replace("\\n", " \n") if "\\n" in text else text
    return folded(plain)


def unfolded(text: str, plain: str, data: bytes) -> Iterator[Layer]:
    """Yields the further readings of a text that is not ASCII. `data` is the normalised one in UTF-8."""
    if text.isascii():
        return
    for found in invisible.hidden(text) if hides(text) else ():
        yield Layer(found.text, found.kind, (found.start, found.end))
        if found.kind == "split":
            beside = text[max(0, found.start - BESIDE) : found.end + BESIDE]
            yield Layer(invisible.spaced(beside), "spaced", (found.start, found.end))
    if confusables.mixed(plain, data):
        yield Layer(confusables.latin(plain), "confusable")
