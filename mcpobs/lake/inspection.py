"""Collects facts about a lake for `mcpobs lake info`. Takes no lock and writes nothing."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from mcpobs import keys
from mcpobs.lake import backlog, quarantine, snapshot, totals
from mcpobs.lake.engine import quoted
from mcpobs.lake.place import table_of
from mcpobs.lake.reader import open_reading
from mcpobs.lake.schema import TIME
from mcpobs.lake.vacuum import unreferenced
from mcpobs.semconv import LOSS_SPAN, LOST_OPERATIONS

_LOST = quoted('$."' + LOST_OPERATIONS + '"')


@dataclass(frozen=True, slots=True)
class Inspection:
    """The contents of a lake. Counts of rows and sessions exclude damaged files; times are Unix nanoseconds."""

    lake: Path
    lake_id: str | None  # None if lake.json is missing
    rows: int
    sessions: int
    first_unix_nano: int | None
    last_unix_nano: int | None
    table_version: int  # -1 before the first commit
    partitions: int
    files: int
    file_bytes: int
    file_rows: int
    replaced_files: int  # no longer in the table but still on disk
    replaced_bytes: int
    live_segments: int
    sealed_segments: int
    committed_segments: int
    spool_bytes: int  # uncommitted segments
    wal_bytes: int  # requests that the collector has acknowledged but not committed
    damaged_lines: int  # lines of the spool and requests of the collector's log
    duplicates: int
    implausible_times: int  # received spans, since the lake began
    lost_operations: int
    damaged_files: list[tuple[Path, str]]
    disk_bytes: int
    set_aside: list[quarantine.SetAside]  # segments that could not be committed
    deleted: quarantine.Deleted  # of these, because the folder was full

    @property
    def bytes_a_span(self) -> float | None:
        return self.file_bytes / self.file_rows if self.file_rows else None


def inspect(lake: Path) -> Inspection:
    """Reads the whole lake once. Raises LakeError if there is none or it cannot be read."""
    table = table_of(lake)
    with open_reading(lake) as reading:
        # Only reading a whole file finds damage inside it, and this command is meant to find it.
        reading.exclude_damaged()
        rows, sessions, first, last, lost = reading.connection.execute(
            f"select count(*), count(distinct session_id), min({TIME}), max({TIME}), "
            f"sum(case when name = {quoted(LOSS_SPAN)} then "
            f"try_cast(json_extract_string(attributes, {_LOST}) as bigint) end) from spans"
        ).fetchall()[0]
        state = snapshot.load(table, lambda: reading.connection)
        hot_damage, damaged_files = reading.damaged_lines, reading.damaged_files
    found = backlog.segments(lake)
    fresh = [f for f in found if f.segment.seq > state.covered(f.segment.writer)]
    sealed = sum(map(backlog.sealed, fresh))
    replaced = [path for path, _ in unreferenced(table, state)]
    return Inspection(
        lake=lake,
        lake_id=keys.read_identity(lake),
        rows=rows,
        sessions=sessions,
        first_unix_nano=first,
        last_unix_nano=last,
        table_version=state.version,
        partitions=len({file.date for file in state.files.values()}),
        files=len(state.files),
        file_bytes=sum(file.size_bytes for file in state.files.values()),
        file_rows=sum(file.rows or 0 for file in state.files.values()),
        replaced_files=len(replaced),
        replaced_bytes=sum(map(_size, replaced)),
        live_segments=len(fresh) - sealed,
        sealed_segments=sealed,
        committed_segments=len(found) - len(fresh),
        spool_bytes=sum(f.size_bytes for f in fresh),
        wal_bytes=sum(f.size_bytes for f in backlog.segments(lake, backlog.WAL)),
        damaged_lines=hot_damage + totals.total(state, totals.DAMAGED_LINES),
        duplicates=totals.total(state, totals.DUPLICATES),
        implausible_times=totals.total(state, totals.IMPLAUSIBLE_TIMES),
        lost_operations=int(lost or 0),
        damaged_files=damaged_files,
        disk_bytes=sum(_size(Path(folder, name)) for folder, _, names in os.walk(lake) for name in names),
        set_aside=quarantine.listed(lake),
        deleted=quarantine.deleted(lake),
    )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0  # moved meanwhile
