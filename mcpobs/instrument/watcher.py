"""Warns if `--in-process` records nothing: watches one start from a process of its own, which ends with its first news.

A server may keep mcpobs out in ways that its command does not show: `env -u PYTHONPATH`, `python -I` in a script, a
program in another language. The server is no longer a process of ours, so somebody else must notice.
"""

from __future__ import annotations

import os
import select
import time
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple, NoReturn

from mcpobs import temporary
from mcpobs.instrument.launched import FAILED, LOST, QUIET, SERVES, STARTED
from mcpobs.stderr import warn

PATIENCE_S: Final = 60.0
"""After this time without a report it warns, and ends: a server may run for months."""
_LOOK_S: Final = 1.0  # without pidfd: how often it looks for the server
_MOST_BYTES: Final = 4096
_NO_SDK: Final = "no process here has loaded an MCP SDK"
_NOBODY: Final = "no process here has loaded mcpobs"
_HINT: Final = "it needs Python with its PYTHONPATH; for other servers leave out --in-process"


class _Start(NamedTuple):
    """The watched start: the server's pid, a descriptor that is readable when it has ended, and that of the reports."""

    pid: int
    ended: int | None
    reports: int


def start() -> str | None:
    """Starts the watcher of this process, which is about to become the server. Returns the FIFO for the reports; None
    if there is no watcher."""
    folder = temporary.make()
    if folder is None:
        return None
    fifo = folder / "reports"
    try:
        os.mkfifo(fifo, 0o600)
        reports = os.open(fifo, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)  # RDWR: never at its end
        watched = _Start(os.getpid(), _pidfd(), reports)
        child = os.fork()
        if child == 0:
            _leave(watched, folder)
        with suppress(ChildProcessError):  # our parent ignores the end of its children
            os.waitpid(child, 0)
        os.close(reports)
        if watched.ended is not None:
            os.close(watched.ended)
    except OSError:
        temporary.remove(folder)
        return None
    return str(fifo)


def _pidfd() -> int | None:
    try:
        return os.pidfd_open(os.getpid())
    except (AttributeError, OSError):  # macOS, an old kernel
        return None


def _leave(watched: _Start, folder: Path) -> NoReturn:
    """Runs in the child: forks again, so that the server has no child that it does not know."""
    try:
        if os.fork() == 0:
            _detach(watched, folder)
            complaint = _watch(watched)
            temporary.remove(folder)
            if complaint is not None:
                warn(complaint)
    finally:
        os._exit(0)


def _detach(watched: _Start, folder: Path) -> None:
    """Leaves the server's session and folder, and closes everything of the server's but stderr."""
    os.setsid()
    os.chdir("/")
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1):
        os.dup2(null, descriptor)
    kept = {watched.reports, temporary.lock_of(folder)} | ({watched.ended} - {None})
    last = 2
    for descriptor in sorted(d for d in kept if d is not None):
        os.closerange(last + 1, descriptor)
        last = descriptor
    os.closerange(last + 1, os.sysconf("SC_OPEN_MAX"))


def _watch(watched: _Start) -> str | None:
    """Waits for a report that settles it, the server's end or the end of patience. Returns the warning to write."""
    why = _NOBODY
    deadline = time.monotonic() + PATIENCE_S
    while True:
        ended = _wait(watched, deadline - time.monotonic())
        for what, reason in _read(watched.reports):
            if what in (SERVES, QUIET):
                return None
            if what == LOST:
                return _warning(reason, "")
            why = _NO_SDK if what == STARTED else reason if what == FAILED else why
        if ended:
            return _warning(why, "")
        if time.monotonic() >= deadline:
            return _warning(why, " so far")


def _warning(why: str, when: str) -> str:
    hint = _HINT if why in (_NO_SDK, _NOBODY) else "install mcpobs-otel beside the server, or leave out --in-process"
    subject = "no call" if why == _NO_SDK else "nothing"
    return f"{subject} is recorded{when}: {why}\nhint: {hint}"


def _wait(watched: _Start, patience_s: float) -> bool:
    """Waits for a report. Returns whether the server has ended."""
    poll = select.poll()
    poll.register(watched.reports, select.POLLIN)
    if watched.ended is not None:
        poll.register(watched.ended, select.POLLIN)
    else:
        patience_s = min(patience_s, _LOOK_S)
    ready = {descriptor for descriptor, _ in poll.poll(max(0, int(patience_s * 1000)))}
    return watched.ended in ready if watched.ended is not None else not _alive(watched.pid)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass  # it has another user now
    return True


def _read(reports: int) -> list[tuple[str, str]]:
    try:
        text = os.read(reports, _MOST_BYTES).decode(errors="replace")
    except BlockingIOError:
        return []
    return [(line.partition(" ")[0], line.partition(" ")[2]) for line in text.splitlines()]
