"""Calls that the server answered with a redirect, until the client makes them at the new place. Does no I/O.

A client that follows sends the same body again. The call is recorded there, once; its row of here is dropped.
A client that does not follow within WAIT_NS ends its call with the redirect, and then the row is written.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import NamedTuple
from urllib.parse import unquote, urljoin

from mcpobs.protocol.call import Call
from mcpobs.protocol.outcome import Verdict
from mcpobs.proxy.http.paths import path_of

STATUSES = frozenset((301, 302, 303, 307, 308))
WAIT_NS = 10 * 10**9
MAX_WAITING = 4_096
_END_BYTES = 32_768
REDIRECTED = Verdict("unfinished", "redirected")


class Hop(NamedTuple):
    """Who is expected with which body, and at which path."""

    peer: str | None
    path: str
    body_digest: bytes


@dataclass(slots=True)
class Redirected:
    """The calls of one request. `write` records one of them, `forget` lets it go without a row."""

    hop: Hop
    since_ns: int
    calls: list[Call]
    write: Callable[[Call], None]
    forget: Callable[[Call], None]


class Redirects:
    """One object a front."""

    def __init__(self) -> None:
        self._waiting: deque[Redirected] = deque()  # in the order of their time
        self._hops: Counter[Hop] = (
            Counter()
        )  # theirs: most requests are none, and 4,096 are not looked through for them

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, redirected: Redirected) -> None:
        if len(self._waiting) >= MAX_WAITING:
            self._write(self._waiting.popleft())
        self._waiting.append(redirected)
        self._hops[redirected.hop] += 1

    def follow(self, peer: str | None, target: str, body_digest: bytes) -> bool:
        """Whether a request is one that was redirected to here; its calls from before are forgotten."""
        if not self._waiting:
            return False
        hop = Hop(peer, comparable(target), body_digest)
        if hop not in self._hops:
            return False
        place = next(place for place, redirected in enumerate(self._waiting) if redirected.hop == hop)
        found = self._waiting[place]
        del self._waiting[place]
        self._take(hop)
        for call in found.calls:
            found.forget(call)
        return True

    def give_up(self, before_ns: int | None = None) -> None:
        """Records what nobody followed: of all, or of what waits since before a time."""
        while self._waiting and (before_ns is None or self._waiting[0].since_ns <= before_ns):
            self._write(self._waiting.popleft())

    def _take(self, hop: Hop) -> None:
        self._hops[hop] -= 1
        if not self._hops[hop]:
            del self._hops[hop]

    def _write(self, redirected: Redirected) -> None:
        self._take(redirected.hop)
        for call in redirected.calls:
            redirected.write(call)


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


def digest(body: bytes) -> bytes:
    """Identifies a body by its size and its ends: every request pays for this, and one of 64 MiB would take 60 ms."""
    ends = blake2b(body[:_END_BYTES], digest_size=16, key=len(body).to_bytes(8, "big"))
    ends.update(body[-_END_BYTES:])
    return ends.digest()
