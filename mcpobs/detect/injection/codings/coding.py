"""A way to write a text so that patterns do not see it, with the sign that betrays it and the way back."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Coding:
    """`gate` is an expression that one of the sets holds; where it is found, `run`, or itself, finds the coded text.

    `decoded` receives the coded text and the run in it, and returns the clear text or None. `around` widens a run by
    bytes on both sides where words beside it are written in the same way.
    """

    name: str
    gate: str
    decoded: Callable[[bytes, bytes], str | None]
    run: str = ""
    around: int = 0
    signs: tuple[bytes, ...] = ()
    """Bytes one of which every coded text holds. They are looked for in place of a gate that does not count."""

    counts: bool = False
    """Whether the gate counts characters: it is cheapest on a shelf of its own."""

    implied: bool = False
    """Whether a text with a run has the gate."""

    fewest: int = 1
    """Signs that every coded text holds."""

    begins: tuple[bytes, int] | None = None
    """Bytes of which so many begin every run, if `gate` says no more than this: such places are found without RE2."""

    @property
    def has_gate(self) -> bool:
        """Whether the gate is looked for with the patterns."""
        return not self.begins and (self.counts or not self.signs)

    def is_open(self, data: bytes, matched: Collection[str]) -> bool:
        """Whether the text may hold something that is written so. `matched` are the expressions that it holds."""
        if self.begins:
            return True
        if self.has_gate and self.gate not in matched:
            return False
        if not self.signs:
            return True
        first = self.signs[0][:1]  # one byte is found ten times as fast as two
        if first not in data and all(sign.startswith(first) for sign in self.signs):
            return False
        if self.fewest == 1:
            return any(sign in data for sign in self.signs)
        return sum(map(data.count, self.signs)) >= self.fewest


def printable(data: bytes) -> str | None:
    """Returns the text if these bytes are one that a person could read."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    return text if len(text) >= SHORTEST and _readable(text) else None


SHORTEST = 8


def _readable(text: str) -> bool:
    if text.isascii():
        return not text.encode().translate(None, _READABLE)
    return sum(not (each.isprintable() or each.isspace()) for each in text) <= len(text) // 50


_READABLE = bytes(range(32, 127)) + b"\t\n\r"
