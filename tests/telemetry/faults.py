"""Real faults for a spool, and what is left in its folder."""

from __future__ import annotations

import fcntl
import json
import os
import resource
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mcpobs.segment import Scan, scan
from mcpobs.telemetry.spool import Row, Spool


def loss(count: int, reason: str) -> Row:
    return {"name": "loss", "count": count, "reason": reason}


def row(number: int | str, size: int = 100) -> Row:
    return {"name": "row", "number": str(number), "padding": "p" * size}


def spool(lake: Path, **options: Any) -> Spool:
    return Spool(lake, loss, **options)


@contextmanager
def file_size_limit(size_bytes: int | None) -> Iterator[None]:
    """Within, no file can grow beyond so many bytes: a write is cut short there, as on a full disk."""
    if size_bytes is None:
        yield
        return
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def segments(lake: Path) -> list[Path]:
    return sorted((lake / "spool").glob("*.jsonl"))


def scanned(lake: Path) -> Scan:
    found = [scan(path.read_bytes()) for path in segments(lake)]
    return Scan([line for each in found for line in each.rows], sum(each.damaged for each in found))


def kept(lake: Path) -> list[str]:
    """The rows that are there, without those that tell of a loss."""
    return [line["number"] for line in map(json.loads, scanned(lake).rows) if line["name"] == "row"]


def recorded_losses(lake: Path) -> int:
    return sum(line["count"] for line in map(json.loads, scanned(lake).rows) if line["name"] == "loss")


def locked(path: Path) -> bool:
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


def in_a_fork(work: Callable[[], str]) -> tuple[int, int]:
    """Starts `work` in a forked child: its process id, and a pipe from which the result can be read."""
    reader, writer = os.pipe()
    with warnings.catch_warnings():  # Python 3.12 warns of forks beside threads, which is what is tried here
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        try:
            os.close(reader)
            os.write(writer, work().encode())
            os._exit(0)
        finally:
            os._exit(1)
    os.close(writer)
    return pid, reader


def result(child: tuple[int, int]) -> str:
    pid, reader = child
    with os.fdopen(reader) as pipe:
        text = pipe.read()
    assert os.waitpid(pid, 0)[1] == 0
    return text
