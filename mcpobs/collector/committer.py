"""Keeps the committing process running, wakes it, and counts its reports."""

from __future__ import annotations

import asyncio
import os
from asyncio.subprocess import PIPE, Process
from contextlib import suppress
from pathlib import Path

import orjson

from mcpobs import interpreter
from mcpobs.collector.committing import LAST_S, Report

RESTART_S = 1.0
RESTARTS_AT_ONCE = 5  # a segment that kills the process is set aside after four deaths
MAX_RESTART_S = 60.0
END_S = LAST_S + 6.0
"""Time for the last commit, which stops by itself after LAST_S and the current batch; then the process is killed."""
_MALLOC = {"MALLOC_MMAP_THRESHOLD_": str(1 << 30), "MALLOC_TRIM_THRESHOLD_": str(256 << 20)}
"""Settings for glibc: each batch has buffers of megabytes, and page faults on new memory cost more than the
decoding."""


class Committer:
    """The committing process of one lake. `start` it, `wake` it, `close` it."""

    def __init__(self, lake: Path) -> None:
        self._lake = lake
        self._process: Process | None = None
        self._task: asyncio.Task[None] | None = None
        self._closing = False
        self._ending = asyncio.Event()
        self._last_try = False
        self.stored = 0
        self.duplicates = 0
        self.damaged = 0
        self.implausible_times = 0
        self.set_aside = 0
        self.restarts = 0
        self._failures = 0  # restarts since a commit worked
        self.error: str | None = None

    async def start(self) -> None:
        self._process = await self._spawn()
        self._task = asyncio.create_task(self._follow(), name="committer")

    def wake(self) -> None:
        """Signals that a segment has ended. Never waits."""
        process = self._process
        if process is not None and process.stdin is not None and not process.stdin.is_closing():
            with suppress(ConnectionError):
                process.stdin.write(b"\n")

    async def close(self) -> None:
        """Lets the process commit the rest, and waits for its end. Call it after the log is closed."""
        self._closing = True
        self._ending.set()
        self._end_input()
        if self._task is not None:
            try:
                await asyncio.wait_for(self._task, END_S)
            except TimeoutError:
                await self._kill()
                self.error = "the last commit takes too long; the next command on the lake completes it"

    async def _kill(self) -> None:
        """Kills the process. A commit may be interrupted anywhere; uncommitted requests are still in the log."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()

    def _end_input(self) -> None:
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()

    async def _spawn(self) -> Process:
        command = interpreter.command("mcpobs.collector.committing", str(self._lake))
        env = {**_MALLOC, **interpreter.environment(os.environ)}
        return await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, start_new_session=True, env=env)

    async def _follow(self) -> None:
        while self._process is not None and self._process.stdout is not None:
            async for line in self._process.stdout:
                self._count(orjson.loads(line))
            ended_well = await self._process.wait() == 0
            if self._closing and (ended_well or self._last_try):
                return
            self._last_try = self._closing
            self.restarts += 1
            self._failures += 1
            self.error = f"the committing process ended with {self._process.returncode}"
            await self._pause()  # uncommitted requests are still in the log
            self._process = await self._spawn()
            self.wake()
            if self._closing:
                self._end_input()

    async def _pause(self) -> None:
        """Waits before the next process: longer after each failure, but not while the collector ends."""
        doublings = max(0, self._failures - RESTARTS_AT_ONCE)
        seconds = min(MAX_RESTART_S, RESTART_S * 2 ** min(doublings, 16))
        with suppress(TimeoutError):
            await asyncio.wait_for(self._ending.wait(), seconds if not self._closing else min(seconds, RESTART_S))

    def _count(self, report: Report) -> None:
        self.stored += report["rows"]
        self.duplicates += report["duplicates"]
        self.damaged += report["damaged"]
        self.implausible_times += report["implausible_times"]
        self.set_aside += report["set_aside"]
        self.error = report["error"]
        if self.error is None:
            self._failures = 0
