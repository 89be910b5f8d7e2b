"""Joins small files of a partition while commits go on: reading 1,000 takes 40 times as long as reading one."""

from __future__ import annotations

from pathlib import Path

from mcpobs.lake import cold, snapshot
from mcpobs.lake.engine import Connection
from mcpobs.lake.merge import join
from mcpobs.lake.snapshot import DataFile, Snapshot

SMALL_BYTES = 16 << 20
MANY_FILES = 16  # small files in a partition before a commit joins them
TOO_MANY_FILES = 256  # … if busy: a report reads each in a third of a millisecond
JOINED_BYTES = 64 << 20
FEW_FILES = 4  # small files of a partition that are joined if the table has TOO_MANY_FILES of them
MOST_JOINED = 16  # files that such a commit writes; FEW_FILES if busy


def join_small(connection: Connection, table: Path, state: Snapshot, busy: bool) -> bool:
    """Joins the small files of each partition that has many: reading 1,000 takes 40 times as long as reading one.
    Returns True if it joined some.

    If all partitions together have too many, those with the most are joined as well: spans of many days come as one
    file per day. `busy` joins one file of JOINED_BYTES at a time, or a few of those, because the next batch is waiting.
    """
    small: dict[str, list[DataFile]] = {}
    for file in state.files.values():
        if file.size_bytes < SMALL_BYTES and cold.visible_damage(table, file) is None:
            small.setdefault(file.date or "", []).append(file)
    crowded = sorted(small.values(), key=len, reverse=True)
    many = TOO_MANY_FILES if busy else MANY_FILES
    chosen = [files for files in crowded if len(files) > many]
    most = 1 if busy else None
    if not chosen and sum(map(len, crowded)) > TOO_MANY_FILES:
        chosen = [files for files in crowded if len(files) >= FEW_FILES]
        most = FEW_FILES if busy else MOST_JOINED
    parts = [part for files in chosen for part in _parts(files) if len(part) > 1][:most]
    for part in parts:
        join(connection, table, snapshot.load(table, lambda: connection), part)
    return bool(parts)


def _parts(files: list[DataFile]) -> list[list[DataFile]]:
    """Returns the files in groups of about JOINED_BYTES."""
    parts: list[list[DataFile]] = []
    size = JOINED_BYTES
    for file in files:
        if size + file.size_bytes > JOINED_BYTES:
            parts.append([])
            size = 0
        parts[-1].append(file)
        size += file.size_bytes
    return parts
