"""Bounds the connections of one protocol and picks the one to evict for a new one. Does no I/O.

Every connection counts from its accept to its end, also during a TLS handshake.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Final, Protocol

EVICTABLE_AFTER_S: Final = {False: 1.0, True: 10.0}
"""Minimum wait before a client may be evicted for a new one, by whether it ever got an answer: exporters return every
five seconds. A client address that holds more than half of the places always has the shorter wait."""
_LOOK_AGAIN_S = 0.1
"""Pause between two searches: scanning a thousand connections takes milliseconds, and in a flood every new connection
requests it."""


class Guest(Protocol):
    """A connection that holds a place."""

    peer: str
    """The client's address, without its port."""
    answered: bool
    """Whether the client ever got an answer."""

    def waited_s(self, now: float) -> float:
        """Returns how long the client has kept us waiting; 0 while we owe it an answer."""

    def evict(self) -> None:
        """Ends the connection at once and releases its place, now or later."""


class Admission:
    """The places of one protocol."""

    def __init__(self, places: int, clock: Callable[[], float]) -> None:
        self._places = places
        self._clock = clock
        self._guests: set[Guest] = set()
        self._of_peer: Counter[str] = Counter()
        self._slow: list[Guest] = []  # the next to be evicted comes last
        self._looked = -_LOOK_AGAIN_S

    @property
    def guests(self) -> set[Guest]:
        return self._guests

    def enter(self, guest: Guest) -> bool:
        """Gives the connection a place. False if there is none: the caller refuses it; it counts until it leaves."""
        admitted = len(self._guests) < self._places or self._evict_one()
        self._guests.add(guest)
        self._of_peer[guest.peer] += 1
        return admitted

    def leave(self, guest: Guest) -> None:
        """Releases the place. May be called again."""
        if guest not in self._guests:
            return
        self._guests.remove(guest)
        self._of_peer[guest.peer] -= 1
        if not self._of_peer[guest.peer]:
            del self._of_peer[guest.peer]

    def replace(self, old: Guest, new: Guest) -> None:
        """Transfers the place of a connection, e.g. after its TLS handshake."""
        self.leave(old)
        self._guests.add(new)
        self._of_peer[new.peer] += 1

    def _evict_one(self) -> bool:
        """Evicts the client that has kept us waiting longest, clients that never got an answer first."""
        now = self._clock()
        if not self._slow and now - self._looked >= _LOOK_AGAIN_S:
            self._looked = now
            self._slow = sorted(
                (guest for guest in self._guests if self._evictable(guest, now)),
                key=lambda guest: (not guest.answered, guest.waited_s(now)),
            )
        while self._slow:
            guest = self._slow.pop()
            if guest in self._guests and self._evictable(guest, now):
                self.leave(guest)
                guest.evict()
                return True
        return False

    def _evictable(self, guest: Guest, now: float) -> bool:
        crowding = 2 * self._of_peer[guest.peer] > self._places
        return guest.waited_s(now) >= EVICTABLE_AFTER_S[guest.answered and not crowding]
