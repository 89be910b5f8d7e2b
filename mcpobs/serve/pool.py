"""Runs calls in a few threads, each within its time. Owns the threads; says nothing to a client.

Each lane has threads of its own: SQL that takes long keeps no report waiting, nor a report SQL. A call that is over its
time, or not wanted any more, is interrupted, or its process killed.
"""

from __future__ import annotations

import time
import traceback
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from queue import SimpleQueue
from threading import Thread
from typing import Final

from mcpobs.errors import McpobsError
from mcpobs.lake.engine import EngineError
from mcpobs.serve import results
from mcpobs.serve.protocol import Call
from mcpobs.serve.running import Reason, Running, Stopped
from mcpobs.serve.tools import Arguments, Lane, Sources, Tool

THREADS: Final[Mapping[Lane, int]] = {"reports": 3, "sql": 2, "columns": 1}
"""DuckDB takes every core for one query already; more at once would only share them out, and the memory too."""

MAX_WAITING: Final[Mapping[Lane, int]] = {"reports": 64, "sql": 16, "columns": 64}
"""Calls of a lane that may wait for a thread."""

_AGAIN_S = 0.05  # an interrupt that came between two statements is lost


@dataclass(slots=True, eq=False)
class _Job:
    call: Call
    tool: Tool
    arguments: Arguments
    running: Running = field(default_factory=Running)
    ends_s: float | None = None
    """When its time is over; None until it began."""

    @property
    def waits(self) -> bool:
        return self.ends_s is None and self.running.stopped is None


class Pool:
    """Calls in progress. `wake` is called by a thread when `tick` has something to do or `finished` has a result, and
    `complain` with the class and place of a fault of ours; never with its text, which might quote the lake."""

    def __init__(
        self, tools: Sequence[Tool], sources: Sources, wake: Callable[[], None], complain: Callable[[str], None]
    ) -> None:
        self.finished: deque[tuple[Call, Mapping[str, object]]] = deque()
        self._tools = {tool.name: tool for tool in tools}
        self._sources = sources
        self._wake = wake
        self._complain = complain
        self._jobs: dict[Call, _Job] = {}
        self._waiting: dict[Lane, SimpleQueue[_Job | None]] = {lane: SimpleQueue() for lane in THREADS}
        self._threads = [
            Thread(target=self._work, args=(lane,), name=f"mcpobs-serve-{lane}-{n}", daemon=True)
            for lane, count in THREADS.items()
            for n in range(count)
        ]
        for thread in self._threads:
            thread.start()

    def start(self, call: Call) -> None:
        """Runs the call as soon as a thread is free. Wrong arguments need none."""
        tool = self._tools[call.tool]
        try:
            job = _Job(call, tool, tool.checked(call.arguments))
        except McpobsError as error:
            self.finished.append((call, results.refused(error)))
            return
        waiting = sum(job.waits and job.tool.lane == tool.lane for job in self._jobs.values())
        if waiting >= MAX_WAITING[tool.lane]:
            busy = f"{waiting} calls of {tool.name} wait already"
            self.finished.append((call, results.failed(busy, "try again when some are answered")))
            return
        self._jobs[call] = job
        self._waiting[tool.lane].put(job)

    def stop(self, call: Call, reason: Reason = "cancelled") -> None:
        """Ends the call; its result is not wanted."""
        if call in self._jobs:
            self._jobs[call].running.stop(reason)

    def tick(self) -> float | None:
        """Interrupts what is over its time or was stopped; returns in how many seconds to come again."""
        now = time.monotonic()
        soon: float | None = None
        for job in list(self._jobs.values()):
            if job.ends_s is None:
                continue
            if job.running.stopped is not None or now >= job.ends_s:
                job.running.stop(job.running.stopped or "timeout")
                left_s = _AGAIN_S
            else:
                left_s = job.ends_s - now
            soon = left_s if soon is None else min(soon, left_s)
        return soon

    def take(self) -> list[tuple[Call, Mapping[str, object]]]:
        """The results since the last time."""
        taken = []
        while self.finished:
            taken.append(self.finished.popleft())
            self._jobs.pop(taken[-1][0], None)
        return taken

    def close(self, grace_s: float = 1.0) -> bool:
        """Ends everything; true if it ended within the grace."""
        self._sources.spare.close()
        for lane, count in THREADS.items():
            for _ in range(count):
                self._waiting[lane].put(None)
        until = time.monotonic() + grace_s
        for thread in self._threads:
            while thread.is_alive() and time.monotonic() < until:
                for job in list(self._jobs.values()):
                    job.running.stop("closing")
                thread.join(_AGAIN_S)
        return not any(thread.is_alive() for thread in self._threads)

    def _work(self, lane: Lane) -> None:
        while (job := self._waiting[lane].get()) is not None:
            job.ends_s = time.monotonic() + job.tool.limit_s(job.arguments)
            self._wake()
            result = self._result(job)
            self.finished.append((job.call, result))
            self._wake()
            self._sources.spare.refill()  # after any call, for an agent that asks one thing asks another

    def _result(self, job: _Job) -> Mapping[str, object]:
        try:
            return results.found(job.tool.answer(self._sources, job.running, job.arguments))
        except Stopped:
            return _ended(job)
        except McpobsError as error:
            return results.refused(error)
        except EngineError as error:
            return results.failed(
                f"the lake cannot be read: {str(error).splitlines()[0]}", "`mcpobs lake info` names what is damaged"
            )
        except Exception as error:  # the client is somebody else's: it gets an answer, whatever we did wrong
            where = traceback.extract_tb(error.__traceback__)[-1]
            self._complain(f"{job.tool.name} failed: {type(error).__name__} at {where.filename}:{where.lineno}")
            return results.failed(f"mcpobs failed: {type(error).__name__}", "this is a fault of mcpobs; ask otherwise")


def _ended(job: _Job) -> Mapping[str, object]:
    if job.running.stopped != "timeout":
        return results.failed("the call was cancelled")
    limit = job.tool.limit_s(job.arguments)
    return results.failed(
        f"the call took longer than {limit:g} seconds and was ended",
        "narrow it: a shorter window, one session or tool, fewer columns, an aggregate",
    )
