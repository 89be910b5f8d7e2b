"""Owns a bounded queue that its own daemon thread empties in batches. Putting never blocks and never raises.

The thread also opens the consumer of the batches, because that may take long (the OpenTelemetry SDK: 0.3 s of imports).
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
    """Passes queued items to a consumer: when `batch` items wait, or `delay_s` after the first of them.

    A full queue drops further items and counts them. `failed` receives an exception of the consumer, `unopened` the
    exception that prevented its creation: then all items are dropped.
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
        self._waiting = Event()  # the queue is not empty
        self._due = Event()  # a whole batch waits, or this is the end
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
        """Queues an item: about 0.2 µs. Wakes the thread for the first item and for a whole batch, not for each
        item."""
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
        """Has the rest consumed at once; returns immediately."""
        self._closing = True
        self._waiting.set()
        self._due.set()

    def wait(self, timeout_s: float) -> bool:
        """Waits; returns True once everything is consumed and the consumer is closed."""
        if self._pid != os.getpid():  # forked: the thread stayed with the parent
            return True
        return self._done.wait(timeout_s)

    def abandon(self) -> None:
        """Drops the queued items. The consumer may still be processing a batch."""
        self._abandoned = True

    @property
    def refused(self) -> int:
        """Number of items that no consumer got so far."""
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
        self._empty(consumer)  # `close` may have been called meanwhile
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
