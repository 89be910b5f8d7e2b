"""Requests that the server answered with a redirect, until the client makes them at the new place. Does no I/O.

A client that follows sends the same body again. That request goes on with what the first one began, so each call is
decided once and has one row. A client that does not follow within WAIT_NS ends its calls with the redirect.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Mapping
from hashlib import blake2b
from typing import Generic, NamedTuple, TypeVar
from urllib.parse import unquote, urljoin

from mcpobs.protocol.cut import Cut
from mcpobs.protocol.outcome import Verdict
from mcpobs.proxy.http.paths import path_of

STATUSES = frozenset((301, 302, 303, 307, 308))
WAIT_NS = 10 * 10**9
MAX_WAITING = 4_096
_END_BYTES = 32_768
REDIRECTED = Verdict("unfinished", "redirected")


_OF_A_CALLER = ("authorization", "mcp-session-id")
Begun = TypeVar("Begun")
"""What the first request began, and the next one goes on with."""


class Hop(NamedTuple):
    """Who is expected with which request, and at which path."""

    peer: str | None
    path: str
    request_digest: bytes


class Redirected(NamedTuple, Generic[Begun]):
    """One request. `give_up` ends what it began."""

    hop: Hop
    since_ns: int
    begun: Begun
    give_up: Callable[[Begun], None]


class Redirects(Generic[Begun]):
    """One object a front."""

    def __init__(self) -> None:
        self._waiting: deque[Redirected[Begun]] = deque()  # in the order of their time
        self._hops: Counter[Hop] = Counter()  # of those: most requests are none of them, and need no search

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, redirected: Redirected[Begun]) -> None:
        if len(self._waiting) >= MAX_WAITING:
            self._give_up(self._waiting.popleft())
        self._waiting.append(redirected)
        self._hops[redirected.hop] += 1

    def follow(self, peer: str | None, target: str, request_digest: bytes) -> Begun | None:
        """What was begun by the request that was redirected to this one; None for one that no redirect led to."""
        if not self._waiting:
            return None
        hop = Hop(peer, comparable(target), request_digest)
        if hop not in self._hops:
            return None
        place = next(place for place, redirected in enumerate(self._waiting) if redirected.hop == hop)
        found = self._waiting[place]
        del self._waiting[place]
        self._forget(hop)
        return found.begun

    def give_up(self, before_ns: int | None = None) -> None:
        """Ends what nobody followed: all, or what waits since before a time."""
        while self._waiting and (before_ns is None or self._waiting[0].since_ns <= before_ns):
            self._give_up(self._waiting.popleft())

    def _forget(self, hop: Hop) -> None:
        self._hops[hop] -= 1
        if not self._hops[hop]:
            del self._hops[hop]

    def _give_up(self, redirected: Redirected[Begun]) -> None:
        self._forget(redirected.hop)
        redirected.give_up(redirected.begun)


def location(status: int, headers: Mapping[str, str], target: str) -> str | None:
    """The path that a response leads to, comparable; None if it is no redirect."""
    url = headers.get("location")
    if status not in STATUSES or not url:
        return None
    try:
        return comparable(urljoin(f"http://front{target}", url.strip()))
    except ValueError:
        return None


def comparable(url: str) -> str:
    """Path and query of a URL in one spelling: clients escape characters as they like."""
    return unquote(path_of(url.partition("#")[0]))


def digest(body: bytes | Cut, headers: Mapping[str, str]) -> bytes:
    """Identifies a request by its caller and its body, of which the size and the ends: every request pays for this, and
    a body of 64 MiB would take 60 ms."""
    ends, size = (body.head + body.tail, body.size) if isinstance(body, Cut) else (body[:_END_BYTES], len(body))
    found = blake2b(ends, digest_size=16, key=size.to_bytes(8, "big"))
    if isinstance(body, bytes):
        found.update(body[-_END_BYTES:])
    for name in _OF_A_CALLER:  # one caller must not go on with what was decided of another
        value = headers.get(name)
        if value is not None:
            found.update(f"\0{name}:{value}".encode("utf-8", "surrogateescape"))
    return found.digest()
