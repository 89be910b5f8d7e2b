"""Writes to the Delta log with deltalake. The caller holds the lake's lock.

deltalake is imported only here and only when something is written: it costs 82 ms, and it panics in a process that
forks after it was imported.
"""

from __future__ import annotations

import json
import os
import re
import stat
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from mcpobs import safefile
from mcpobs.errors import LakeError
from mcpobs.lake.place import LOG_FOLDER
from mcpobs.lake.schema import DELTA_TYPES, PARTITION, SENT, TIME, delta_schema
from mcpobs.lake.snapshot import IMPLAUSIBLE_TIMES, REPORTERS, DataFile, Snapshot

if TYPE_CHECKING:
    from deltalake import DeltaTable

CHECKPOINT_INTERVAL = 20  # commits; a reader parses at most this many, 0.1 ms each
PROPERTIES = {
    "delta.checkpointInterval": str(CHECKPOINT_INTERVAL),
    # Time travel is not supported, because replaced files are deleted after minutes; a reader lists and reads within a
    # second.
    "delta.logRetentionDuration": "interval 1 hours",
    "delta.enableExpiredLogCleanup": "true",
    # A tombstone distinguishes a replaced file from an orphan; that takes minutes.
    "delta.deletedFileRetentionDuration": "interval 1 hours",
    # A wrapper process is a writer of its own. `writer.py` says why its transaction may be forgotten after this.
    "delta.setTransactionRetentionDuration": "interval 1 days",
}


@dataclass(frozen=True, slots=True)
class Progress:
    """A transaction to write: segments of `writer` up to `version` are in the table."""

    writer: str
    version: int
    expires: bool = True


def append(
    table: Path,
    state: Snapshot,
    *,
    adds: Sequence[DataFile],
    removes: Sequence[DataFile] = (),
    progress: Sequence[Progress] = (),
    rows_change: bool = True,
) -> None:
    """Writes one Delta commit, durable when this returns. Creates the table or adds columns if needed.

    `rows_change` is False for a commit that only moves rows between files.
    """
    from deltalake import CommitProperties, PostCommitHookProperties, Transaction
    from deltalake.exceptions import DeltaError
    from deltalake.transaction import AddAction, RemoveAction

    now_ms = time.time_ns() // 1_000_000
    actions: list[AddAction | RemoveAction] = [
        RemoveAction(quote(file.path, safe="/="), rows_change, now_ms, file.size_bytes, {PARTITION: file.date})
        for file in removes
    ]
    actions += [
        AddAction(
            path=quote(file.path, safe="/="),
            size=file.size_bytes,
            partition_values={PARTITION: file.date},
            modification_time=now_ms,
            data_change=rows_change,
            stats=_stats(file),
        )
        for file in adds
    ]
    try:
        delta = _open(table, state)
        delta.create_write_transaction(
            actions,
            "append",
            delta.schema(),
            partition_by=[PARTITION],
            commit_properties=CommitProperties(
                app_transactions=[Transaction(p.writer, p.version, now_ms if p.expires else None) for p in progress]
            ),
            post_commithook_properties=PostCommitHookProperties(create_checkpoint=True, cleanup_expired_logs=True),
        )
    except (DeltaError, OSError) as error:
        # deltalake wraps an OSError in its own exception, with the cause in its text
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise LakeError(
            f"cannot commit to {table}: {reason}",
            "check the folder's permissions and free space; the spool keeps recorded calls until a commit works",
        ) from error
    sync_log(table)


def _open(table: Path, state: Snapshot) -> DeltaTable:
    from deltalake import DeltaTable, Schema

    if re.search("%[0-9a-fA-F]{2}", str(table.absolute())):
        raise LakeError(
            f"deltalake cannot write to a folder with a percent escape in its name: {table}",
            "rename the folder, or name another with --lake; recorded calls stay readable in the spool",
        )
    _refuse_special(table / LOG_FOLDER)
    uri = table.absolute().as_uri()
    if state.version < 0:
        safefile.make_own_folder(table)
        return DeltaTable.create(
            uri, Schema.from_json(delta_schema()), partition_by=[PARTITION], configuration=PROPERTIES
        )
    delta = DeltaTable(uri)
    missing = {name: type_ for name, type_ in DELTA_TYPES.items() if name not in state.columns}
    if missing:
        delta.alter.add_columns(list(Schema.from_json(delta_schema(missing)).fields))
        delta = DeltaTable(uri)
    return delta


def _refuse_special(log: Path) -> None:
    """Raises LakeError if an entry of the log's folder is not a regular file: deltalake would wait for a FIFO, and read
    or follow a link."""
    with suppress(FileNotFoundError), os.scandir(log) as entries:
        for entry in entries:
            if not entry.is_file(follow_symlinks=False) and not entry.is_dir(follow_symlinks=False):
                raise LakeError(f"cannot commit to {log.parent}: {entry.path} is not a regular file", "remove it")


def _stats(file: DataFile) -> str:
    stats: dict[str, object] = {"numRecords": file.rows}
    if file.first_unix_nano is not None and file.last_unix_nano is not None:
        first, last = {TIME: file.first_unix_nano}, {TIME: file.last_unix_nano}
        if file.sent is not None:
            first[SENT], last[SENT] = file.sent
        if file.implausible_times:
            stats[IMPLAUSIBLE_TIMES] = file.implausible_times
        stats |= {"minValues": first, "maxValues": last, "nullCount": {TIME: 0}}
    if file.reporters is not None:
        stats[REPORTERS] = file.reporters  # our own key: Delta readers ignore unknown keys
    return json.dumps(stats)


def sync_log(table: Path) -> None:
    """Makes the Delta log survive a loss of power. deltalake does not; unchanged files cost microseconds."""
    log = table / LOG_FOLDER
    recent = sorted(entry.name for entry in log.iterdir() if entry.name[:1].isdigit())[-2 * CHECKPOINT_INTERVAL :]
    for name in [*recent, "_last_checkpoint", "."]:
        sync(log / name)


def sync(path: Path) -> None:
    """Syncs a file or folder to disk; does nothing if it is gone or is neither."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except FileNotFoundError:
        return
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
