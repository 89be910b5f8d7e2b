"""The requests of one side that wait for their responses. Bounded in all; knows no frames."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from hashlib import blake2b

from mcpobs.protocol.call import Call
from mcpobs.protocol.ids import Key, lenient_keys

MAX_PENDING = 65_536
MAX_GIVEN_UP = 4_096


_BITS = 1 << 20
_HASHES = 3


class _Forgotten:
    """The ids of requests that were let go of for want of room: their responses may still come. In constant space, so
    it takes some ids for forgotten that are not: one of 40,000 after 10,000, one of 60 after 100,000."""

    def __init__(self) -> None:
        self._bits = bytearray()

    def add(self, key: Key) -> None:
        self._bits = self._bits or bytearray(_BITS // 8)
        for bit in self._places(key):
            self._bits[bit // 8] |= 1 << bit % 8

    def __contains__(self, key: Key) -> bool:
        return bool(self._bits) and all(self._bits[bit // 8] >> bit % 8 & 1 for bit in self._places(key))

    def __bool__(self) -> bool:
        return bool(self._bits)

    @staticmethod
    def _places(key: Key) -> list[int]:
        found = blake2b(repr(key).encode("utf-8", "surrogatepass"), digest_size=4 * _HASHES).digest()
        return [int.from_bytes(found[at : at + 4], "big") % _BITS for at in range(0, 4 * _HASHES, 4)]


Pending = tuple[Call, Key | None]
"""A call that waits, with its progress token."""


class PendingRequests:
    """The calls that wait, by id. Of calls with one id the first is answered first.

    An id of another type finds a request (`key_of`) only if no request has exactly that id."""

    def __init__(self, capacity: int = MAX_PENDING) -> None:
        self._capacity = capacity
        self._first: dict[Key, Pending] = {}
        self._later: dict[Key, deque[Pending]] = {}  # of the same id, behind the first
        self._count = 0
        self._by_token: dict[Key, Call] = {}
        self._given_up: dict[Key, None] = {}
        self._forgotten = _Forgotten()

    def __len__(self) -> int:
        return self._count

    def add(self, key: Key, call: Call, token: Key | None) -> Call | None:
        """Takes a request, with its progress token. Returns the oldest request if it had to make room."""
        dropped = self._drop(next(iter(self._first))) if self._count >= self._capacity else None
        pending = (call, token)
        if key in self._first:
            self._later.setdefault(key, deque()).append(pending)
        else:
            self._first[key] = pending
        self._count += 1
        if token is not None:
            self._by_token[token] = call
        self._given_up.pop(key, None)  # the id is in use again: its next response is the new request's
        return dropped

    def key_of(self, key: Key) -> Key:
        """The id under which a response or cancellation with this id finds its request: the id itself if it is in use,
        else the one that clients take for the same, if that is in use."""
        if key in self._first or key in self._given_up:
            return key
        for ids in (self._first, self._given_up):
            for other in lenient_keys(key) if ids else ():
                if other in ids:
                    return other
        return key

    def find(self, key: Key) -> Call | None:
        pending = self._first.get(key)
        return pending[0] if pending else None

    def has_in_use(self, key: Key) -> bool:
        """Whether a response may still come, also to a cancelled request, with this id or one that some servers treat
        as the same."""
        if not self._first and not self._given_up and not self._forgotten:
            return False
        return any(
            one in self._first or one in self._given_up or one in self._forgotten for one in (key, *lenient_keys(key))
        )

    def take(self, key: Key) -> Call | None:
        """Removes the request that a response with this id answers."""
        pending = self._first.pop(key, None)
        if pending is None:
            return None
        self._count -= 1
        if self._later:
            self._move_up(key)
        call, token = pending
        if token is not None and self._by_token.get(token) is call:
            del self._by_token[token]
        return call

    def _drop(self, key: Key) -> Call | None:
        self._forgotten.add(key)
        return self.take(key)

    def give_up(self, key: Key) -> Call | None:
        """Removes a request that was cancelled; a late response to it is then known as late."""
        call = self.take(key)
        if call is not None:
            if len(self._given_up) >= MAX_GIVEN_UP:
                oldest = next(iter(self._given_up))
                del self._given_up[oldest]
                self._forgotten.add(oldest)
            self._given_up[key] = None
        return call

    def is_late(self, key: Key) -> bool:
        """True, once, for the response to a request that was given up."""
        if key not in self._given_up:
            return False
        del self._given_up[key]
        return True

    def progressed(self, token: Key) -> Call | None:
        """The request that a progress token belongs to."""
        call = self._by_token.get(token)
        if call is None and self._by_token:
            found = (self._by_token.get(other) for other in lenient_keys(token))
            return next((call for call in found if call is not None), None)
        return call

    def only(self, since: int | None = None, before: int = 0) -> Call | None:
        """The only request; with `since`, the only one whose sequence is between the two."""
        calls = [call for call, _ in self._first.values()] if since is not None or self._count == 1 else []
        if since is not None:
            calls = [call for call in calls if since <= call.operation.sequence < before]
        return calls[0] if len(calls) == 1 else None

    def calls(self) -> list[Call]:
        """All requests."""
        found = [call for call, _ in self._first.values()]
        return found + [call for queue in self._later.values() for call, _ in queue]

    def clear(self) -> list[Call]:
        """Removes all requests and returns them."""
        left = self.calls()
        self._first.clear()
        self._later.clear()
        self._by_token.clear()
        self._given_up.clear()
        self._count = 0
        return left

    def remove(self, wanted: Callable[[int], bool]) -> list[Pending]:
        """Removes the requests whose sequence is wanted, and returns them."""
        places = list(self._first.items())
        places += [(key, pending) for key, queue in self._later.items() for pending in queue]
        found = [(key, pending) for key, pending in places if wanted(pending[0].operation.sequence)]
        for key, (call, _) in found:
            self.discard(key, call)
        return [pending for _, pending in found]

    def discard(self, key: Key, call: Call) -> None:
        """Removes one request, wherever it stands among those of its id."""
        if key in self._first and self._first[key][0] is call:
            self.take(key)
            return
        queue = self._later.get(key, deque())
        if not any(waiting is call for waiting, _ in queue):
            return
        for pending in queue:
            if pending[0] is call:
                queue.remove(pending)
                break
        if not queue:
            del self._later[key]
        self._count -= 1
        for token in [token for token, known in self._by_token.items() if known is call]:
            del self._by_token[token]

    def _move_up(self, key: Key) -> None:
        queue = self._later.get(key)
        if queue is None:
            return
        self._first[key] = queue.popleft()
        if not queue:
            del self._later[key]
