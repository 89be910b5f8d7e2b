"""One run of digits in a text: its digits, its groups and its neighbours."""

from __future__ import annotations

from functools import cached_property

_NO_DIGITS = bytes(byte for byte in range(256) if not 48 <= byte <= 57)
_SPREAD = bytes(byte if 48 <= byte <= 57 else 32 for byte in range(256))
_SHAPE = bytes(35 if 48 <= byte <= 57 else byte for byte in range(256))


class Run:
    """data[start:end], which begins and ends with a digit."""

    def __init__(self, data: bytes, start: int, end: int) -> None:
        self.data, self.start, self.end = data, start, end
        self.text = data[start:end]
        self.digits = self.text.translate(None, _NO_DIGITS)

    @cached_property
    def groups(self) -> list[bytes]:
        """The groups of digits between separators."""
        return self.text.translate(_SPREAD).split()

    @cached_property
    def lengths(self) -> tuple[int, ...]:
        return tuple(map(len, self.groups))

    @property
    def separators(self) -> bytes:
        """The bytes that are no digits."""
        return self.text.translate(None, b"0123456789")

    @cached_property
    def stands_alone(self) -> bool:
        """Whether the run is no part of a word, a longer number, an identifier or a path."""
        before, after = self.data[max(0, self.start - 2) : self.start], self.data[self.end : self.end + 2]
        last, first = before[-1:], after[:1]
        if (
            last.isalnum()
            or last in _JOINED
            or (first.isalnum() and not (first in b"xX" and after[1:].isdigit()))
            or first in (b"_", b"%")
        ):
            return False
        if last in (b"-", b".", b"/", b":") and before[:1].isalnum() and not (last == b":" and before[:1].isalpha()):
            return False
        return not (
            first in (b"-", b"/", b":", b".") and after[1:].isalnum() and (first != b"." or after[1:].isdigit())
        )


_JOINED = (b"_", b"#", b"$", b"\\", b"~")
