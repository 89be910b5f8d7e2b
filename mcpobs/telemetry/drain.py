"""A bounded queue that a daemon thread of its own empties in batches. Putting never blocks, never raises.

The thread also opens what consumes the batches, for that may take long (the OpenTelemetry SDK: 0.3 s of imports).
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Sequence
from threading import Event, Lock, Thread
from typing import Generic, Protocol, TypeVar

Item = TypeVar("Item")
Consumed = TypeVar("Consumed", contravariant=True)


class Consumer(Protocol[Consumed]):
    """Takes batches in the drain's thread; `close` is called once, after the last one."""

    def consume(self, batch: Sequence[Consumed]) -> None: ...
    def close(self) -> None: ...


class Drain(Generic[Item]):
    """Hands what was put to a consumer: when `batch` items are there, or `delay_s` after the first of them.

    A full queue drops what comes next, and counts it. `failed` hears of an exception of the consumer, `unopened` of
    the one for which there is none: then all is dropped.
    """

    def __init__(
        self,
        name: str,
        open_consumer: Callable[[], Consumer[Item]],
        *,
        unopened: Callable[[Exception], None],
        failed: Callable[[Exception], None],
        capacity: int,
        batch: int,
        delay_s: float,
    ) -> None:
        self._open_consumer = open_consumer
        self._unopened = unopened
        self._failed = failed
        self._capacity = capacity
        self._batch = batch
        self._delay_s = delay_s
        self._queue: deque[Item] = deque()
        self._waiting = Event()  # something is in the queue
        self._due = Event()  # a whole batch is, or this is the end
        self._closing = False
        self._abandoned = False
        self._done = Event()
        self._drop_lock = Lock()
        self._overflow = 0
        self._pid = os.getpid()
        self.taken = 0  # items that the consumer got
        self._thread = Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def put(self, item: Item) -> None:
        """Queues an item: some 0.2 µs. The thread is woken for the first and for a whole batch, not for each."""
        queue = self._queue
        if len(queue) >= self._capacity:
            with self._drop_lock:
                self._overflow += 1
            return
        queue.append(item)
        if not self._waiting.is_set():
            self._waiting.set()
        if len(queue) >= self._batch and not self._due.is_set():
            self._due.set()

    def close(self) -> None:
        """Asks for the rest to be consumed at once; returns immediately."""
        self._closing = True
        self._waiting.set()
        self._due.set()

    def wait(self, timeout_s: float) -> bool:
        """True once everything is consumed and the consumer is closed."""
        if self._pid != os.getpid():  # forked: the thread stayed with the parent
            return True
        return self._done.wait(timeout_s)

    def abandon(self) -> None:
        """Lets go of what is still queued. A batch that the consumer has may still be under way."""
        self._abandoned = True

    @property
    def refused(self) -> int:
        """Items that no consumer got, so far."""
        return self._overflow + len(self._queue)

    def _run(self) -> None:
        try:
            consumer = self._open_consumer()
        except Exception as error:  # a wrong OTEL_* value, a broken package: the call path must not care
            self._unopened(error)
            self._capacity = 0
            self._done.set()
            return
        while not self._closing:
            self._waiting.wait()
            self._due.wait(self._delay_s)
            self._waiting.clear()
            self._due.clear()
            self._empty(consumer)
        self._empty(consumer)  # `close` may have come in between
        try:
            consumer.close()
        except Exception as error:
            self._failed(error)
        self._done.set()

    def _empty(self, consumer: Consumer[Item]) -> None:
        while self._queue and not self._abandoned:
            batch = [self._queue.popleft() for _ in range(min(self._batch, len(self._queue)))]
            self.taken += len(batch)
            try:
                consumer.consume(batch)
            except Exception as error:
                self._failed(error)
