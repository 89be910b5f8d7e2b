"""Counts amounts in a rolling window, in constant space. Pure; the same arithmetic for every store.

A window is divided into SLICES. An amount belongs to the slice in which it was added, and counts until that whole slice
has left the window. So no window of this length ever holds more than its limit; an amount may count up to a slice
(1/60 of the window) longer than it has to. GCRA, the usual choice, keeps less, and lets twice the limit through
within one window: a burst, and what it earns back meanwhile.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from itertools import chain

SLICES = 60
FOREVER = 0
"""The window of what counts as long as its session lives."""
MOST = (1 << 63) - 1
"""The largest amount of a slice; a larger one counts as this."""

_PAIR = struct.Struct("<qq")


class Window:
    """The amounts of one counter by slice. `window_ns` FOREVER keeps one sum."""

    __slots__ = ("_first", "_slice_ns", "_total", "slices", "window_ns")

    def __init__(self, window_ns: int, slices: Iterable[tuple[int, int]] = ()) -> None:
        self.window_ns = window_ns
        self.slices: dict[int, int] = dict(slices)
        self._slice_ns = _slice_ns(window_ns)
        self._first = min(self.slices, default=MOST)
        self._total = sum(self.slices.values())

    def total(self, now_ns: int) -> int:
        """The sum of what counts now."""
        if self.window_ns != FOREVER and self._first < (oldest := now_ns // self._slice_ns - SLICES):
            self._keep_since(oldest)
        return self._total

    def add(self, amount: int, at_ns: int) -> None:
        """Adds an amount at a time, which may lie before others: what was added then is corrected so. A sum below
        zero counts as zero."""
        number = 0 if self.window_ns == FOREVER else at_ns // self._slice_ns
        known = self.slices.get(number)
        if known is None:
            if amount < 0:  # it has left the window, and what it corrects with it
                return
            known = 0
            if number < self._first:
                self._first = number
        changed = known + amount
        if not 0 <= changed <= MOST:
            changed = 0 if changed < 0 else MOST
        self.slices[number] = changed
        self._total += changed - known

    def free_at_ns(self, amount: int, limit: int, now_ns: int) -> int | None:
        """When `amount` fits below `limit`, if nothing else is added; None if waiting does not help."""
        left = self.total(now_ns)
        if self.window_ns == FOREVER or amount > limit:
            return None
        for number in sorted(self.slices):
            left -= self.slices[number]
            if left + amount <= limit:
                return leaves_ns(self.window_ns, number)
        return now_ns

    def packed(self) -> bytes:
        """The slices as bytes, for a store; `unpacked` reads them."""
        if len(self.slices) == 1:
            return _PAIR.pack(*next(iter(self.slices.items())))
        return struct.pack(f"<{2 * len(self.slices)}q", *chain.from_iterable(self.slices.items()))

    @classmethod
    def unpacked(cls, window_ns: int, packed: bytes) -> Window:
        """Raises struct.error if the bytes are not `packed` ones."""
        return cls(window_ns, _PAIR.iter_unpack(packed))

    def _keep_since(self, oldest: int) -> None:
        self.slices = {number: amount for number, amount in self.slices.items() if number >= oldest}
        self._first = min(self.slices, default=MOST)
        self._total = sum(self.slices.values())


def slice_of(window_ns: int, at_ns: int) -> int:
    """Returns the slice that a time lies in."""
    return 0 if window_ns == FOREVER else at_ns // _slice_ns(window_ns)


def oldest_slice(window_ns: int, now_ns: int) -> int:
    """The oldest slice that counts now."""
    return 0 if window_ns == FOREVER else now_ns // _slice_ns(window_ns) - SLICES


def leaves_ns(window_ns: int, number: int) -> int:
    """When a slice stops to count."""
    return (number + SLICES + 1) * _slice_ns(window_ns)


def _slice_ns(window_ns: int) -> int:
    return max(1, -(-window_ns // SLICES))
