"""Divides the requests of one caller among its client instances by their JSON-RPC ids. Pure.

Since 2026-07-28 nothing names a session, but SDKs number the requests of one client instance by one, from 0 or 1
(TypeScript, Python, Go, C#, Rust), some behind a prefix of the instance (Java). So an id that continues a count belongs
to its instance, and a count that begins again is another instance. Ids that do not count (random ones, the same one in
each request) divide nothing.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, field

NEAR = 16  # ids that may come out of turn: an instance has so many requests under way
MAX_INSTANCES = 64  # of one caller; the one that was seen last is forgotten last
MAX_CONNECTIONS = 4  # of one instance
NEWEST = 2
_NUMBERED = re.compile(r"(.*?)([0-9]{1,15})", re.DOTALL)


@dataclass(slots=True)
class Instance:
    """A client instance: the number of its newest request, and the numbers before it that have not come yet."""

    prefix: str | None = None
    number: int = -1
    counts: bool = False
    missing: set[int] = field(default_factory=set)
    connections: deque[str] = field(default_factory=lambda: deque(maxlen=MAX_CONNECTIONS))

    def continues(self, prefix: str, number: int) -> bool:
        return prefix == self.prefix and (number in self.missing or 0 < number - self.number <= NEAR)

    def rank(self, connection: str) -> int:
        """How surely a connection is this instance's: NEWEST if its newest request came by it."""
        if connection not in self.connections:
            return 0
        return NEWEST if connection == self.connections[-1] else 1

    def take(self, prefix: str, number: int) -> None:
        """Notes a request of this instance."""
        if prefix != self.prefix or not self.continues(prefix, number):
            if (prefix, number) != (self.prefix, self.number) and not self.counts:
                self.prefix, self.number, self.missing = prefix, number, set()
            return
        if number in self.missing:
            self.missing.remove(number)
            return
        self.counts = self.counts or number == self.number + 1
        self.missing.update(range(self.number + 1, number))
        self.missing = {one for one in self.missing if number - one <= NEAR}
        self.number = number


class Instances:
    """The instances of one caller, the one that was seen last at the end."""

    def __init__(self) -> None:
        self.found: list[Instance] = []
        self._first: dict[str, int] = {}  # the lowest number of a prefix

    def of(self, request_id: str | None, connection: str) -> Instance:
        """The instance that sends a request: one of those known, or a new one. `request_id` is None for a
        notification, which goes to the instance that was seen last."""
        numbered = _NUMBERED.fullmatch(request_id) if request_id is not None else None
        if numbered is None:
            instance = self._latest(connection) or Instance()
        else:
            prefix, number = numbered[1], int(numbered[2])
            instance = self._numbered(prefix, number, connection) or Instance(prefix, number)
            instance.take(prefix, number)
            self._first[prefix] = min(number, self._first.get(prefix, number))
            if len(self._first) > MAX_INSTANCES:
                del self._first[next(iter(self._first))]
        if connection in instance.connections:
            instance.connections.remove(connection)
        instance.connections.append(connection)
        self.found = [one for one in self.found if one is not instance][1 - MAX_INSTANCES :]
        self.found.append(instance)
        return instance

    def _numbered(self, prefix: str, number: int, connection: str) -> Instance | None:
        fitting = [one for one in self.found if one.continues(prefix, number)]
        if fitting:
            return max(reversed(fitting), key=lambda one: (one.rank(connection), one.number))
        alike = [one for one in self.found if one.prefix == prefix]
        if not alike:  # a new prefix is a new instance if prefixes belong to counts
            return None if any(one.counts for one in self.found) else self._latest(connection)
        counts = any(one.counts for one in alike)
        repeated = [one for one in alike if one.number == number]
        if repeated:  # sent again, or the same id in each request; of another connection it is another count
            own = [one for one in repeated if not counts or one.rank(connection) == NEWEST]
            return own[-1] if own else None
        begins_again = number <= max(1, self._first.get(prefix, 0)) and counts
        return None if begins_again else alike[-1]

    def _latest(self, connection: str) -> Instance | None:
        own = [one for one in self.found if connection in one.connections]
        chosen = own or self.found
        return chosen[-1] if chosen else None
