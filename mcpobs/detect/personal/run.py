"""One run of digits in a text: its digits, its groups and its neighbours."""

from __future__ import annotations

_NO_DIGITS = bytes(byte for byte in range(256) if not 48 <= byte <= 57)
_SPREAD = bytes(byte if 48 <= byte <= 57 else 32 for byte in range(256))
_JOINED = (b"_", b"#", b"$", b"\\", b"~")


class Run:
    """data[start:end], which begins and ends with a digit."""

    __slots__ = ("_lengths", "data", "digits", "end", "separators", "start", "text")

    def __init__(self, data: bytes, start: int, end: int) -> None:
        self.data, self.start, self.end = data, start, end
        self.text = data[start:end]
        self.digits = self.text.translate(None, _NO_DIGITS)
        self.separators = self.text.translate(None, b"0123456789")
        self._lengths: tuple[int, ...] = ()

    @property
    def lengths(self) -> tuple[int, ...]:
        """The lengths of the groups of digits between separators."""
        if not self._lengths:  # no cached_property: before Python 3.12 it takes a lock
            self._lengths = tuple(map(len, self.text.translate(_SPREAD).split()))
        return self._lengths

    def stands_alone(self) -> bool:
        """Returns whether the run is no part of a word, a longer number, an identifier or a path."""
        before, after = self.data[max(0, self.start - 2) : self.start], self.data[self.end : self.end + 2]
        last, first = before[-1:], after[:1]
        if last.isalnum() or last in _JOINED or first in (b"_", b"%"):
            return False
        if first.isalnum() and not (first in b"xX" and after[1:].isdigit()):
            return False
        if last in (b"-", b".", b"/") and before[:1].isalnum():
            return False
        if last == b":" and before[:1].isdigit():
            return False
        return not (
            first in (b"-", b"/", b":", b".") and after[1:].isalnum() and (first != b"." or after[1:].isdigit())
        )
