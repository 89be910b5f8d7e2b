"""Stores a batch as Parquet files that are not yet in the table: rows of the spool, or requests of the collector's log
in parts of bounded size. A request that cannot be stored is divided, down to the spans that fail alone."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from mcpobs.errors import LakeError
from mcpobs.lake import cold, hot, memory, parquet, quarantine, repeated
from mcpobs.lake.backlog import Found
from mcpobs.lake.engine import Connection, EngineError, connect
from mcpobs.lake.hot import Loaded
from mcpobs.lake.lock import MEMORY_BYTES
from mcpobs.lake.schema import PARTITION, TYPES
from mcpobs.lake.sealed import is_redacted, is_scrubbed
from mcpobs.lake.snapshot import DataFile, Snapshot
from mcpobs.lake.superseding import Superseded, supersede

if TYPE_CHECKING:
    from mcpobs.lake.otlp.request import Body
    from mcpobs.lake.received import Receiving

MOST_PARTITIONS = 16
"""Partitions of received spans per commit: each is a file and takes about 50 ms. Other spans go to the partition of
their receipt."""
MOST_DIVISIONS = 64
"""How often requests of a batch are halved to find the spans that cannot be stored: one of 8,192 takes 13. Spans that
still fail are set aside with their neighbours: each try takes 50 ms, and senders control the number of such spans."""
ROOM_BYTES = 384 << 20
"""A process that cannot allocate this much memory starts no further batch."""


@dataclass(frozen=True, slots=True)
class Stored:
    """Files with the rows of the first `segments` of a batch, not yet in the table, and counts of those that did not
    become a row. `refused` requests are set aside."""

    files: list[DataFile]
    damaged: int
    duplicates: int
    refused: int = 0
    segments: int = 0
    superseded: Superseded = field(default_factory=Superseded)
    """Files of the table whose pending rows these rows end."""

    def over(self, state: Snapshot) -> Snapshot:
        """Returns the table as it will be when these files are in it."""
        gone = {file.path for file in self.superseded.replaced}
        added = {file.path: file for file in (*self.superseded.written, *self.files)}
        return replace(state, files={path: file for path, file in state.files.items() if path not in gone} | added)


def store_rows(connection: Connection, work: Path, table: Path, state: Snapshot, batch: list[Found]) -> Stored:
    contents = [hot.read(found.path, growing=False) for found in batch]
    loaded = hot.load(connection, "batch", contents, work / "lines.jsonl")
    return replace(_store_table(connection, loaded, table, state, sort=True), segments=len(batch))


def receiving_with(connection: Connection, work: Path) -> Receiving:
    from mcpobs.lake.received import Receiving  # wrappers and reports do not need the decoder

    return Receiving(connection, work)


def store_in_parts(
    receiving: Receiving, work: Path, lake: Path, table: Path, state: Snapshot, batch: list[Found], apart: bool
) -> Stored:
    """Stores requests of the first segments in parts of bounded size, as at most MOST_PARTITIONS files of one commit.
    With `apart` a part that fails is halved, down to the spans that fail alone; those are set aside."""
    from mcpobs.lake import received, wal

    requests = received.read([found.path for found in batch])
    # a file keeps its time, however often its commit is tried
    received_unix_nano = max(found.path.stat().st_mtime_ns for found in batch)
    stored = Stored([], requests.damaged, 0, segments=requests.segments)
    waiting = requests.parts
    divisions = MOST_DIVISIONS
    refused: list[Body] = []
    why = ""
    while waiting:
        part, *waiting = waiting
        # Files of an earlier part count as if they were in the table, so that a span in both parts is one row.
        known = stored.over(state)
        try:
            receiving.take(part, received_unix_nano, redact=is_redacted(batch[0]), scrub=is_scrubbed(batch[0]))
            used = {file.date for file in stored.files if file.date is not None}
            more = _store_requests(receiving, table, known, used, 1 if requests.expanding else MOST_PARTITIONS)
        except Exception as error:
            if not apart or quarantine.is_environmental(error, lake) or not memory.is_obtainable(ROOM_BYTES):
                raise
            if not usable(receiving.connection):
                receiving = receiving_with(connect(spill=work, memory_bytes=MEMORY_BYTES), work)
            halved = _halved(part, divisions)
            divisions -= len(part) == 1
            waiting = [*halved, *waiting]
            if not halved:
                refused += part
                why = quarantine.described(error)
            continue
        stored = replace(
            stored,
            files=_bounded(receiving.connection, table, stored.files + more.files),
            damaged=stored.damaged + more.damaged,
            duplicates=stored.duplicates + more.duplicates,
            superseded=_joined(table, stored.superseded, more.superseded),
        )
    if refused:
        quarantine.set_aside_content(lake, batch[0], wal.encoded(refused), why, attempts=2)
    return replace(stored, refused=len(refused))


def _joined(table: Path, first: Superseded, second: Superseded) -> Superseded:
    """Returns both. A file that the first wrote and the second replaced was never in the table, and is removed."""
    passing = [file for file in second.replaced if file in first.written]
    for file in passing:
        (table / file.path).unlink()
    return Superseded(
        first.replaced + [file for file in second.replaced if file not in passing],
        [file for file in first.written if file not in passing] + second.written,
    )


def _halved(part: list[Body], divisions: int) -> list[list[Body]]:
    """Returns the halves of some requests, or of the spans of one; empty if there is nothing to divide."""
    from mcpobs.lake.otlp.halves import halves

    if len(part) > 1:
        middle = len(part) // 2
        return [part[:middle], part[middle:]]
    return [[half] for half in (halves(part[0]) if divisions > 0 else None) or ()]


def _bounded(connection: Connection, table: Path, files: list[DataFile]) -> list[DataFile]:
    """Returns the new files; if there are more than MOST_PARTITIONS, those of a partition are joined."""
    if len(files) <= MOST_PARTITIONS:
        return files
    of_day: dict[str, list[DataFile]] = {}
    for file in files:
        of_day.setdefault(file.date or "", []).append(file)
    joined: list[DataFile] = []
    for day, alike in of_day.items():
        if len(alike) == 1:
            joined += alike
            continue
        written = parquet.write(connection, cold.relation(connection, table, alike), TYPES, table, day, sort=False)
        joined += [] if written is None else [written]
        for file in alike:
            (table / file.path).unlink()
    return joined


def raise_of_the_environment(error: Exception, lake: Path) -> NoReturn:
    """Raises an OSError or EngineError as it is, because the callers know what to say of those; else a LakeError."""
    if isinstance(error, OSError | EngineError | LakeError):
        raise error
    raise LakeError(
        f"cannot write to the lake at {lake}: {quarantine.described(error)}, with little disk space or memory left",
        "free some; nothing is lost: uncommitted segments are retried",
    ) from error


def usable(connection: Connection) -> bool:
    """Returns False if DuckDB has invalidated its database."""
    try:
        connection.execute("select 1").fetchall()
    except EngineError:
        return False
    return True


def _store_requests(receiving: Receiving, table: Path, state: Snapshot, used: set[str], most: int) -> Stored:
    """Writes the batch that was taken, to at most `most` partitions, including those that this commit has `used`."""
    # the collector's commits, every few seconds, are small and are merged and sorted soon
    try:
        written = receiving.write(table, state.files.values(), used=used, one_day=len(used) >= most - 1)
        if written is not None:
            loaded, files = written
            return Stored(files, loaded.damaged, loaded.repeated)
        loaded = receiving.tabulate("batch")
        receiving.settle("batch", table, state.files.values())
        return _store_table(
            receiving.connection, loaded, table, state, sort=False, receiving=receiving, used=used, most=most
        )
    finally:
        receiving.drop()


def _store_table(
    connection: Connection,
    loaded: Loaded,
    table: Path,
    state: Snapshot,
    *,
    sort: bool,
    receiving: Receiving | None = None,
    used: Collection[str] = (),
    most: int = MOST_PARTITIONS,
) -> Stored:
    """Writes the rows of the loaded table `batch` that the lake's table does not have.

    Rows of the spool keep their days: they come from processes of this machine. Received ones are bounded.
    """
    since = None if receiving is None else receiving.look_back_unix_nano
    dropped = repeated.drop_known(connection, "batch", table, state.files.values(), since)
    superseded = supersede(connection, "batch", table, dropped.outdated)
    if receiving is not None:
        _bound_partitions(connection, receiving.day, frozenset(used), most)
    files = _write(connection, table, sort)
    connection.execute("drop table batch")  # frees memory for the next batch
    return Stored(files, loaded.damaged, loaded.repeated + dropped.rows, superseded=superseded)


def _bound_partitions(connection: Connection, of_receipt: str, used: frozenset[str], most: int) -> None:
    """Limits the rows of `batch` to `most` partitions, including the `used` ones: the days with most rows (the newest
    first if equal) and the day of receipt. A row's times stay as they are."""
    found = connection.execute(
        f"select {PARTITION} from batch group by {PARTITION} order by count(*) desc, {PARTITION} desc"
    ).fetchall()
    new = [day for (day,) in found if day not in used]
    if len(new) + len(used) <= most:
        return
    certain = used | {of_receipt}
    chosen = [day for day in new if day != of_receipt][: max(0, most - len(certain))]
    kept = ", ".join(f"'{day}'" for day in (*certain, *chosen))
    connection.execute(f"update batch set {PARTITION} = '{of_receipt}' where {PARTITION} not in ({kept})")


def _write(connection: Connection, table: Path, sort: bool) -> list[DataFile]:
    files = []
    dates = [row[0] for row in connection.execute(f"select distinct {PARTITION} from batch order by 1").fetchall()]
    for date in dates:
        select = f"select * from batch where {PARTITION} = '{date}'"
        written = parquet.write(connection, select, TYPES, table, date, sort=sort)
        if written is not None:
            files.append(written)
    return files
