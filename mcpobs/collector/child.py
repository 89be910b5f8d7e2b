"""Keeps a process that works for the collector running, wakes it, and reads its reports, one line of JSON each."""

from __future__ import annotations

import asyncio
import os
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Generic, TypedDict, TypeVar

import orjson

from mcpobs import interpreter

RESTART_S = 1.0
RESTARTS_AT_ONCE = 5  # a segment that kills the committing process is set aside after four deaths
MAX_RESTART_S = 60.0


class Outcome(TypedDict):
    """What every report says: `error` is None if the work was done."""

    error: str | None


ReportT = TypeVar("ReportT", bound=Outcome)


class Child(Generic[ReportT]):
    """One such process. `start` it, `wake` it, `close` it.

    `name` names it in errors; `end_s` is the time that it may take after the end of its stdin, before it is killed."""

    def __init__(self, command: Sequence[str], name: str, end_s: float, env: Mapping[str, str] | None = None) -> None:
        self._command = command
        self._name = name
        self._end_s = end_s
        self._env = env or {}
        self._process: Process | None = None
        self._task: asyncio.Task[None] | None = None
        self._closing = False
        self._ending = asyncio.Event()
        self._last_try = False
        self.restarts = 0
        self._failures = 0  # restarts since a report without an error
        self.error: str | None = None

    def reported(self, report: ReportT) -> None:
        """Takes a report over."""
        if (why := report["error"]) is not None:
            self.failed(why)
            return
        self.error = None
        self._failures = 0

    def failed(self, why: str) -> None:
        """Called when the process reports an error, ends, or cannot be started."""
        self.error = why

    def killed(self) -> None:
        """Called when the process did not end in time."""

    async def start(self) -> None:
        await self._spawn()
        self._task = asyncio.create_task(self._follow(), name=self._name)

    def wake(self, order: bytes = b"") -> None:
        """Signals that there is work. Never waits."""
        process = self._process
        if process is not None and process.stdin is not None and not process.stdin.is_closing():
            with suppress(ConnectionError):
                process.stdin.write(order + b"\n")

    async def close(self) -> None:
        """Lets the process do the rest, and waits for its end."""
        self._closing = True
        self._ending.set()
        self._end_input()
        if self._task is not None:
            try:
                await asyncio.wait_for(self._task, self._end_s)
            except TimeoutError:
                await self._kill()
                self.killed()

    async def _kill(self) -> None:
        """Kills the process. It may be interrupted anywhere."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()

    def _end_input(self) -> None:
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()

    async def _spawn(self) -> None:
        env = {**self._env, **interpreter.environment(os.environ)}
        self._process = None
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self._command, stdin=PIPE, stdout=PIPE, start_new_session=True, env=env
            )
        except OSError as error:
            self.failed(f"the {self._name} process cannot be started: {error.strerror}")

    async def _follow(self) -> None:
        while not await self._ended_well() and not (self._closing and self._last_try):
            self._last_try = self._closing
            self.restarts += 1
            self._failures += 1
            await self._pause()
            await self._spawn()
            self.wake()
            if self._closing:
                self._end_input()

    async def _ended_well(self) -> bool:
        """Takes the reports of the process over, until its end. Returns whether it ended as it was asked to."""
        if self._process is None or self._process.stdout is None:
            return False
        async for line in self._process.stdout:
            self.reported(orjson.loads(line))
        code = await self._process.wait()
        if self._closing and code == 0:
            return True
        self.failed(f"the {self._name} process ended with {code}")
        return False

    async def _pause(self) -> None:
        """Waits before the next process: longer after each failure, but not while the collector ends."""
        doublings = max(0, self._failures - RESTARTS_AT_ONCE)
        seconds = min(MAX_RESTART_S, RESTART_S * 2 ** min(doublings, 16))
        with suppress(TimeoutError):
            await asyncio.wait_for(self._ending.wait(), seconds if not self._closing else min(seconds, RESTART_S))
