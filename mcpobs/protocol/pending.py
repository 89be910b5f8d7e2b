"""The requests of one side that wait for their responses. Bounded in all; knows no frames."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from mcpobs.protocol.ids import Key
from mcpobs.protocol.operation import Operation

MAX_IN_FLIGHT = 65_536
MAX_GIVEN_UP = 4_096


_Pending = tuple[Operation, Key | None]  # with its progress token


class Flight:
    """In flight by id. An id that is used twice at a time is answered first in, first out."""

    def __init__(self, capacity: int = MAX_IN_FLIGHT) -> None:
        self._capacity = capacity
        self._first: dict[Key, _Pending] = {}
        self._later: dict[Key, deque[_Pending]] = {}  # of the same id, behind the first
        self._count = 0
        self._by_token: dict[Key, Operation] = {}
        self._given_up: dict[Key, None] = {}

    def __len__(self) -> int:
        return self._count

    def add(self, key: Key, operation: Operation, token: Key | None) -> Operation | None:
        """Takes a request, with its progress token. Where there is no room the oldest one makes it, and is returned."""
        dropped = self.take(next(iter(self._first))) if self._count >= self._capacity else None
        pending = (operation, token)
        if key in self._first:
            self._later.setdefault(key, deque()).append(pending)
        else:
            self._first[key] = pending
        self._count += 1
        if token is not None:
            self._by_token[token] = operation
        self._given_up.pop(key, None)  # the id is in use again: its next response is the new request's
        return dropped

    def find(self, key: Key) -> Operation | None:
        pending = self._first.get(key)
        return pending[0] if pending else None

    def take(self, key: Key) -> Operation | None:
        """Removes the request that a response with this id answers; None where there is none."""
        pending = self._first.pop(key, None)
        if pending is None:
            return None
        self._count -= 1
        if self._later:
            self._move_up(key)
        operation, token = pending
        if token is not None and self._by_token.get(token) is operation:
            del self._by_token[token]
        return operation

    def give_up(self, key: Key) -> Operation | None:
        """Removes a request that was cancelled; a late response to it is then known as late."""
        operation = self.take(key)
        if operation is not None:
            if len(self._given_up) >= MAX_GIVEN_UP:
                del self._given_up[next(iter(self._given_up))]
            self._given_up[key] = None
        return operation

    def is_late(self, key: Key) -> bool:
        """True, once, for the response to a request that was given up."""
        if key not in self._given_up:
            return False
        del self._given_up[key]
        return True

    def progressed(self, token: Key) -> Operation | None:
        """The request that a progress token belongs to."""
        return self._by_token.get(token)

    def clear(self) -> list[Operation]:
        """Empties the table and returns what was in flight."""
        left = [operation for operation, _ in self._first.values()]
        left += [operation for queue in self._later.values() for operation, _ in queue]
        self._first.clear()
        self._later.clear()
        self._by_token.clear()
        self._given_up.clear()
        self._count = 0
        return left

    def remove(self, wanted: Callable[[int], bool]) -> list[Operation]:
        """Takes out the requests whose place is wanted, and returns them."""
        places = [(key, operation) for key, (operation, _) in self._first.items()]
        places += [(key, operation) for key, queue in self._later.items() for operation, _ in queue]
        found = [(key, operation) for key, operation in places if wanted(operation.sequence)]
        for key, operation in found:
            self._remove(key, operation)
        return [operation for _, operation in found]

    def _remove(self, key: Key, operation: Operation) -> None:
        """One request, wherever it stands among those of its id."""
        if self._first[key][0] is operation:
            self.take(key)
            return
        queue = self._later[key]
        for pending in queue:
            if pending[0] is operation:
                queue.remove(pending)
                break
        if not queue:
            del self._later[key]
        self._count -= 1
        for token in [token for token, known in self._by_token.items() if known is operation]:
            del self._by_token[token]

    def _move_up(self, key: Key) -> None:
        queue = self._later.get(key)
        if queue is None:
            return
        self._first[key] = queue.popleft()
        if not queue:
            del self._later[key]
