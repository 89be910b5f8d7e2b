"""The clock of a store. It runs on while the machine sleeps; no step of the system's clock moves it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

_RUNNING = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # Linux's monotonic clock stops while it sleeps


ticks_ns: Callable[[], int] = partial(time.clock_gettime_ns, _RUNNING)
"""Nanoseconds since the machine started: the same for all its processes."""


def boot() -> str:
    """Names the start of the machine that `ticks_ns` counts from, and the time namespace of this process, which may
    shift it."""
    try:
        with open("/proc/sys/kernel/random/boot_id", "rb") as file:
            name = file.read(100).decode().strip()
    except OSError:  # not Linux: when it started, to the minute. A stepped clock is taken for another start.
        name = f"minute {(time.time_ns() - ticks_ns()) // 60_000_000_000}"
    with suppress(OSError):
        name += " " + os.readlink("/proc/self/ns/time")
    return name


@dataclass(frozen=True, slots=True)
class Time:
    """Where a store reads the time: an argument, so that tests set it."""

    ticks_ns: Callable[[], int] = ticks_ns
    unix_ns: Callable[[], int] = time.time_ns
    boot: Callable[[], str] = boot


@dataclass(slots=True)
class Clock:
    """About the Unix time: what it was at `offset_ns`, and from there on the machine's ticks."""

    time: Time = field(default_factory=Time)
    offset_ns: int = 0

    ticks_ns: Callable[[], int] = field(init=False)

    def __post_init__(self) -> None:
        self.ticks_ns = self.time.ticks_ns

    def start(self) -> Clock:
        """Takes the Unix time once."""
        self.offset_ns = self.time.unix_ns() - self.time.ticks_ns()
        return self

    def __call__(self) -> int:
        return self.ticks_ns() + self.offset_ns
