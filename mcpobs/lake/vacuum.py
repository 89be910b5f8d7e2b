"""Deletes files that the table no longer has, once no reader can be reading them. The caller holds the lake's lock.

Under that lock no other process writes, so a file that is not in the table was replaced, or a committer that died left
it. Touches only the files and drafts of partitions.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mcpobs.lake import delta
from mcpobs.lake.parquet import DRAFT_SUFFIX
from mcpobs.lake.schema import PARTITION
from mcpobs.lake.snapshot import Snapshot

GRACE_S = 600.0
"""A reading opens its files while it runs, so a file stays this long after its removal from the table."""


@dataclass(frozen=True, slots=True)
class Vacuumed:
    """Deleted files, and files that wait for their grace to pass."""

    files: int = 0
    size_bytes: int = 0
    waiting_files: int = 0
    waiting_bytes: int = 0


def vacuum(table: Path, state: Snapshot, *, grace_s: float = GRACE_S) -> Vacuumed:
    """Deletes files that have been out of the table for a grace, by tombstone, else by the file's own time."""
    now_ms = time.time_ns() // 1_000_000
    files = size = waiting = waiting_size = 0
    synced = False
    for path, name in unreferenced(table, state):
        with suppress(OSError):  # a file that cannot be deleted now is found again next time
            found = path.stat()
            # Tombstones are forgotten after an hour; a file without one may be as old as its content.
            out_since_ms = max(state.removed_ms.get(name, 0), found.st_mtime_ns // 1_000_000)
            if 0 <= now_ms - out_since_ms < grace_s * 1000:
                waiting += 1
                waiting_size += found.st_size
                continue
            if not synced:
                delta.sync_log(table)  # the commit that replaced it must be durable first
                synced = True
            path.unlink()
            files += 1
            size += found.st_size
            path.parent.rmdir()  # only succeeds for the last file of a partition
    return Vacuumed(files, size, waiting, waiting_size)


def unreferenced(table: Path, state: Snapshot) -> Iterator[tuple[Path, str]]:
    """Yields files of partitions that are not in the table, with their names in the log."""
    for folder in sorted(table.glob(f"{PARTITION}=*")):
        own = folder.is_dir() and not folder.is_symlink()  # the folder behind a link is not ours to delete
        for path in sorted(folder.iterdir()) if own else ():
            name = f"{folder.name}/{path.name}"
            if name not in state.files and path.name.endswith((".parquet", DRAFT_SUFFIX)) and path.is_file():
                yield path, name
