"""Owns the lock that admits one committer at a time, and the process settings under which its holder writes."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mcpobs import safefile
from mcpobs.errors import LakeError
from mcpobs.lake import backlog, quarantine
from mcpobs.lake.engine import Connection, EngineError, connect
from mcpobs.lake.place import require_own_folders

LOCK_FILE = "commit.lock"
WORK_FOLDER = ".work"
WAIT_S = 120.0
_PAUSE_S = 0.05
FRUGAL_MEMORY_BYTES = 160 << 20
MEMORY_BYTES = 1 << 30  # a committer shares the machine with the server; beyond this DuckDB spills


@contextmanager
def exclusive(lake: Path, *, wait: bool) -> Iterator[bool]:
    """Yields True with the lake's lock held, or False if another process holds it.

    With `wait` it retries for up to WAIT_S, then raises LakeError. The lock ends with its process, however the process
    ends. Files created meanwhile, also by DuckDB and deltalake, are readable only by their owner.
    """
    path = lake / LOCK_FILE
    try:
        descriptor = safefile.open_own(path, os.O_RDWR | os.O_CREAT)
    except OSError as error:
        raise unwritable(lake, error) from None
    try:
        held = _take(descriptor)
        until = time.monotonic() + WAIT_S
        while wait and not held:
            if time.monotonic() > until:
                raise LakeError(f"another process has been writing to {lake} for {WAIT_S:.0f} s", "try again later")
            time.sleep(_PAUSE_S)
            held = _take(descriptor)
        if not held:
            yield False
            return
        require_own_folders(lake)
        before = os.umask(0o077)
        try:
            yield True
        except OSError as error:
            raise unwritable(lake, error) from error
        finally:
            os.umask(before)
    finally:
        os.close(descriptor)


def unwritable(lake: Path, error: OSError) -> LakeError:
    return LakeError(
        f"cannot write to the lake at {lake}: {error.strerror or error}",
        "check the folder's permissions and free space; the spool keeps recorded calls until a commit works",
    )


def _take(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def committer(lake: Path, kept: Connection | None = None) -> Iterator[tuple[Connection, Path]]:
    """Yields DuckDB and a scratch folder to the holder of the lock.

    The folder is emptied of files that a killed committer left. A DuckDB error becomes a LakeError. A `kept` connection
    is used but not closed.
    """
    work = lake / WORK_FOLDER
    safefile.make_own_folder(work)  # not a link: its content is deleted
    for path in work.iterdir():
        safefile.remove(path)
    backlog.remove_drafts(lake)
    connection = kept or connect(spill=work, memory_bytes=MEMORY_BYTES)
    try:
        yield connection, work
    except EngineError as error:
        raise LakeError(
            f"cannot write to the lake at {lake}: {quarantine.described(error)}",
            "check the free space; nothing is lost: uncommitted rows are still in the spool",
        ) from error
    finally:
        if kept is None:
            connection.close()


def frugal(lake: Path) -> Connection:
    """Opens a connection to reuse for many small commits. It uses one thread, which takes the least processor time in
    total, and little memory; opening a connection per commit would cost as much as decoding 15,000 spans."""
    return connect(spill=lake / WORK_FOLDER, threads=1, memory_bytes=FRUGAL_MEMORY_BYTES)
