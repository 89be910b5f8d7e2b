"""Counts the amounts, the distinct members or the age of one counter, and packs it for a store. Pure."""

from __future__ import annotations

import json
import struct

from mcpobs.policy.state import MAX_MEMBERS, Count, Taken
from mcpobs.policy.windows import FOREVER, Window, leaves_ns, oldest_slice, slice_of

_SINCE = struct.Struct("<q")


class Sum:
    """Amounts in a window. `since_ns`: a refund of what an earlier counter of that name took is none of this one."""

    __slots__ = ("since_ns", "window")

    def __init__(self, window: Window, since_ns: int) -> None:
        self.window = window
        self.since_ns = since_ns

    def look(self, count: Count, now_ns: int, pending: int = 0) -> Taken:
        """What adding would do, with what the same call adds besides."""
        total = self.window.total(now_ns) + pending
        limit = count.limit
        if limit is None or total + count.amount <= limit:
            return Taken(total, False)
        return Taken(total, True, self.window.free_at_ns(count.amount + pending, limit, now_ns))

    def add(self, count: Count, now_ns: int) -> None:
        self.window.add(count.amount, now_ns)

    def correct(self, count: Count, amount: int, at_ns: int, now_ns: int) -> None:
        """Changes what a reservation at `at_ns` added."""
        if amount >= 0 or at_ns >= self.since_ns:
            self.window.add(amount, at_ns)

    def packed(self) -> bytes:
        return _SINCE.pack(self.since_ns) + self.window.packed()


class Members:
    """Distinct members: each counts until its last use has left the window. A member has its slice and its uses."""

    __slots__ = ("members", "since_ns", "window_ns")

    def __init__(self, window_ns: int, since_ns: int, members: dict[str, tuple[int, int]]) -> None:
        self.window_ns = window_ns
        self.since_ns = since_ns
        self.members = members

    def look(self, count: Count, now_ns: int, pending: int = 0) -> Taken:
        self._forget(now_ns)
        total = len(self.members) + pending
        if count.member in self.members:
            return Taken(total, False)
        limit = MAX_MEMBERS if count.limit is None else min(count.limit, MAX_MEMBERS)
        if total + 1 <= limit:
            return Taken(total, False)
        if count.limit is None:  # it only counts, and has counted all that it can
            return Taken(total, False)
        return Taken(total, True, self._free_at_ns(total + 1 - limit))

    def add(self, count: Count, now_ns: int) -> None:
        assert count.member is not None
        _, uses = self.members.pop(count.member, (0, 0))
        if len(self.members) < MAX_MEMBERS:
            self.members[count.member] = slice_of(self.window_ns, now_ns), uses + 1

    def correct(self, count: Count, amount: int, at_ns: int, now_ns: int) -> None:
        """Takes one use back. A member that was used only so is new again."""
        self._forget(now_ns)
        found = self.members.get(count.member or "")
        lapsed = at_ns < self.since_ns or slice_of(self.window_ns, at_ns) < oldest_slice(self.window_ns, now_ns)
        if found is None or amount >= 0 or lapsed:
            return
        last, uses = found
        if uses > 1:
            self.members[count.member or ""] = last, uses - 1
        else:
            del self.members[count.member or ""]

    def packed(self) -> bytes:
        return _SINCE.pack(self.since_ns) + json.dumps(self.members, separators=(",", ":")).encode()

    def _free_at_ns(self, places: int) -> int | None:
        if self.window_ns == FOREVER or not 0 < places <= len(self.members):
            return None
        return leaves_ns(self.window_ns, sorted(last for last, _ in self.members.values())[places - 1])

    def _forget(self, now_ns: int) -> None:
        oldest = oldest_slice(self.window_ns, now_ns)
        if self.members and min(last for last, _ in self.members.values()) < oldest:
            self.members = {name: one for name, one in self.members.items() if one[0] >= oldest}


class Age:
    """The time since a counter began, in whole milliseconds."""

    __slots__ = ("since_ns",)

    def __init__(self, since_ns: int) -> None:
        self.since_ns = since_ns

    def look(self, count: Count, now_ns: int, pending: int = 0) -> Taken:
        age = max(0, -(-(now_ns - self.since_ns) // 1_000_000))
        return Taken(age, count.limit is not None and age > count.limit)

    def add(self, count: Count, now_ns: int) -> None:
        """Adds nothing: an age grows by itself."""

    def correct(self, count: Count, amount: int, at_ns: int, now_ns: int) -> None:
        """Nothing was added."""

    def packed(self) -> bytes:
        return _SINCE.pack(self.since_ns)


Counter = Sum | Members | Age


def new_counter(count: Count, since_ns: int) -> Counter:
    """A counter that has counted nothing."""
    if count.is_age:
        return Age(since_ns)
    return (
        Members(count.window_ns, since_ns, {}) if count.member is not None else Sum(Window(count.window_ns), since_ns)
    )


def unpacked(count: Count, packed: bytes) -> Counter:
    """Reads what `packed` wrote. Raises struct.error or ValueError for other bytes."""
    since_ns = _SINCE.unpack_from(packed)[0]
    if count.is_age:
        return Age(since_ns)
    rest = packed[_SINCE.size :]
    if count.member is None:
        return Sum(Window.unpacked(count.window_ns, rest), since_ns)
    members = {str(name): (int(last), int(uses)) for name, (last, uses) in json.loads(rest).items()}
    return Members(count.window_ns, since_ns, members)
