"""Moves sealed segments of the spool and of the collector's log into the table: the committer. Always under the lake's
lock.

Parquet files are written and synced first; then ONE Delta commit adds them and records, for each writer, up to which
segment its rows are in the table. So the committer may die anywhere: before that commit the new files are orphans that
nobody reads, after it the segments are leftovers that everybody ignores. Segments are unlinked a grace later, because a
reader that listed them may still read them.

The table drops a writer's transaction after a day, because it would otherwise grow with each process that ever ran.
That is safe because only the checkpoint of a commit drops transactions. A commit first unlinks the covered segments
whose grace is over; a transaction of age RENEW_S whose segment could not be unlinked is written again. So a transaction
that expires has no segment left. A younger one is not written again: that would restart its grace, and commits would
grow with the segments they leave.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from mcpobs.errors import LakeError
from mcpobs.lake import backlog, cold, delta, hot, memory, parquet, quarantine, repeated, snapshot, totals
from mcpobs.lake.backlog import SPOOL, WAL, Found, Store
from mcpobs.lake.delta import Progress
from mcpobs.lake.engine import Connection, EngineError, connect
from mcpobs.lake.hot import Loaded
from mcpobs.lake.lock import MEMORY_BYTES, committer, exclusive
from mcpobs.lake.merge import join
from mcpobs.lake.place import require_lake, table_of
from mcpobs.lake.schema import PARTITION, TYPES
from mcpobs.lake.snapshot import DataFile, Snapshot
from mcpobs.lake.vacuum import vacuum

if TYPE_CHECKING:
    from mcpobs.lake.otlp.request import Body
    from mcpobs.lake.received import Receiving

UNLINK_GRACE_S = 5.0  # of the spool; only the committer reads the log
LARGE_BYTES = 16 << 20  # of spool: a reader checks and loads that in about 200 ms
BATCH_BYTES = {SPOOL: 128 << 20, WAL: 16 << 20}
"""Bytes per batch: bounds memory to about 500 MB for the spool and below 300 MB for the collector."""
BATCH_SEGMENTS = 1024
"""Segments per batch: bounds the transactions of a commit. A commit of 1,000 lines is 100 KB."""
RENEW_S = 18 * 3600
SMALL_BYTES = 16 << 20
MANY_FILES = 16  # small files in a partition before a commit joins them
TOO_MANY_FILES = 256  # … if busy: a report reads each in a third of a millisecond
JOINED_BYTES = 64 << 20
FEW_FILES = 4  # small files of a partition that are joined if the table has TOO_MANY_FILES of them
MOST_JOINED = 16  # files that such a commit writes; FEW_FILES if busy
MOST_PARTITIONS = 16
"""Partitions of received spans per commit: each is a file and takes about 50 ms. Other spans go to the partition of
their receipt."""
MOST_DIVISIONS = 64
"""How often requests of a batch are halved to find the spans that cannot be stored: one of 8,192 takes 13. Spans that
still fail are set aside with their neighbours: each try takes 50 ms, and senders control the number of such spans."""
ROOM_BYTES = 384 << 20
"""A process that cannot allocate this much memory starts no further batch."""
RECEIPT_SPAN_NS = 60 * 10**9
"""Log segments of one batch share a time of receipt, accurate to this."""


@dataclass(frozen=True, slots=True)
class Commit:
    """The result of a commit.

    `busy`: another process holds the lock, so nothing was done. `set_aside` counts segments, whole or in part, that
    could not be committed. `failures` counts batches that failed; a connection that the caller keeps is then unusable.
    """

    rows: int = 0
    segments: int = 0
    damaged_lines: int = 0
    duplicates: int = 0
    files: int = 0
    unlinked: int = 0
    implausible_times: int = 0
    busy: bool = False
    set_aside: int = 0
    failures: int = 0


Step = Callable[[Commit], None]
Stop = Callable[[], bool]


class _BatchError(Exception):
    """A batch failed by its own fault. `done` is the result before it."""

    def __init__(self, done: Commit) -> None:
        super().__init__()
        self.done = done


def commit(
    lake: Path,
    *,
    wait: bool = False,
    busy: bool = False,
    kept: Receiving | None = None,
    limit_s: int = 0,
    step: Step = lambda done: None,
    stop: Stop = lambda: False,
) -> Commit:
    """Commits the sealed segments. Without `wait` it does nothing while another process commits. `busy` skips joining
    small files, because another commit follows soon. `kept` is reused by the caller for the next commit. A batch that
    takes longer than `limit_s` ends the process. `step` gets the result so far after each batch: a large backlog takes
    minutes. When `stop` returns True, it ends after the current batch; the rest stays.

    Raises LakeError if there is no lake, or it cannot be written.
    """
    require_lake(lake)
    with exclusive(lake, wait=wait) as held:
        if not held:
            return Commit(busy=True)
        return move_sealed(lake, busy=busy, kept=kept, limit_s=limit_s, step=step, stop=stop)


def commit_if_large(lake: Path) -> Commit | None:
    """Commits before a report if the spool is large, so that the report stays fast; None if it is not.

    Never fails: a reader needs no commit, and may lack permission to write the lake.
    """
    try:
        if sum(f.size_bytes for f in backlog.segments(lake) if backlog.sealed(f)) <= LARGE_BYTES:
            return None
        return commit(lake)
    except LakeError:
        return None


def unlink_covered(lake: Path) -> int:
    """Removes segments that have been in the table for a grace; returns their number. Waits for no lock."""
    with exclusive(lake, wait=False) as held:
        if not held:
            return 0
        table = table_of(lake)
        return _unlink_covered(lake, table, snapshot.load(table, connect)).unlinked


def move_sealed(
    lake: Path,
    *,
    busy: bool = False,
    kept: Receiving | None = None,
    limit_s: int = 0,
    step: Step = lambda done: None,
    stop: Stop = lambda: False,
) -> Commit:
    """Does the same as `commit`, for a caller that holds the lock."""
    if busy and not backlog.segments(lake, SPOOL) and not backlog.segments(lake, WAL):
        return Commit()
    attempts = quarantine.Attempts(lake, limit_s)
    done = Commit()
    moved: set[Store] = set()  # segments sealed meanwhile wait for the next commit; else this one might never end
    while True:
        try:
            return _move(lake, attempts, done, busy, kept, moved, step, stop)
        except _BatchError as failed:
            # Continues with a new connection: the old one may be unusable; the new one may use more memory than a kept
            # one.
            done, kept = failed.done, None


def _move(
    lake: Path,
    attempts: quarantine.Attempts,
    done: Commit,
    busy: bool,
    kept: Receiving | None,
    moved: set[Store],
    step: Step,
    stop: Stop,
) -> Commit:
    table = table_of(lake)
    joined = done.files
    expanding = True  # so that the others come first
    with committer(lake, None if kept is None else kept.connection) as (connection, work):
        while not stop():
            state = snapshot.load(table, lambda: connection)
            covered = _unlink_covered(lake, table, state)
            done = replace(done, unlinked=done.unlinked + covered.unlinked)
            store, sealed, cut = _sealed_batch(lake, state, moved, covered.waiting if busy else frozenset(), expanding)
            batch, set_aside = _without_fatal(lake, store, sealed, attempts)
            done = replace(done, set_aside=done.set_aside + set_aside)
            if set_aside:
                continue
            if not batch:
                if covered.renewed:
                    delta.append(table, state, adds=[], progress=covered.renewed)
                    state = snapshot.load(table, lambda: connection)
                if _join_small(connection, table, state, busy):
                    state = snapshot.load(table, lambda: connection)
                vacuum(table, state)
                break
            try:
                with attempts.on(batch):
                    if store is SPOOL:
                        stored = _store_rows(connection, work, table, state, batch)
                    else:
                        kept = kept or _receiving(connection, work)
                        apart = attempts.must_go_alone(batch[0])
                        stored = _store_in_parts(kept, work, lake, table, state, batch, apart)
            except Exception as error:  # of any kind: the next segments must not wait
                if quarantine.is_environmental(error, lake):
                    attempts.forget()
                    _raise_of_the_environment(error, lake)
                attempts.failed(quarantine.described(error))
                if not memory.is_obtainable(ROOM_BYTES):  # the next segments would fail through no fault of their own
                    raise LakeError(
                        f"cannot write to the lake at {lake}: this process has no memory left",
                        "nothing is lost: another process retries the uncommitted segments",
                    ) from error
                raise _BatchError(replace(done, failures=done.failures + 1)) from error
            expanding = store is WAL and backlog.is_expanding(batch[0].segment)
            batch = batch[: stored.segments]
            done = _commit(table, state, batch, stored, covered.renewed, done)
            step(done)
            if done.files - joined > MANY_FILES:  # else senders that never pause would pile up files
                joined = done.files
                _join_small(connection, table, snapshot.load(table, lambda: connection), busy=True)
            if not cut and len(batch) == len(sealed):
                moved.add(store)
    return done


def commit_set_aside(lake: Path, name: str) -> Commit:
    """Commits a file of the quarantine and removes it. Requests of a log segment that still fail are kept.

    Rows that the table already has are left out, so a process that dies before the removal does no harm. Raises
    LakeError if it fails or there is no such file.
    """
    with exclusive(lake, wait=True):
        one = next((one for one in quarantine.listed(lake) if one.path.name == name), None)
        if one is None:
            raise LakeError(f"nothing is set aside as {name}", "`mcpobs lake info` lists what is set aside")
        found = Found(one.segment, one.path, one.size_bytes, followed=True)
        table = table_of(lake)
        with committer(lake) as (connection, work):
            state = snapshot.load(table, lambda: connection)
            try:
                if one.store is SPOOL:
                    stored = _store_rows(connection, work, table, state, [found])
                else:
                    receiving = _receiving(connection, work)
                    stored = _store_in_parts(receiving, work, lake, table, state, [found], apart=True)
            except Exception as error:
                if quarantine.is_environmental(error, lake):
                    _raise_of_the_environment(error, lake)
                raise LakeError(
                    f"cannot commit {one.path}: {quarantine.described(error)}", "it stays in the quarantine"
                ) from error
            done = _commit(table, state, [], stored, [], Commit())
            if not stored.refused:
                quarantine.remove(one)
    return done


def _without_fatal(
    lake: Path, store: Store, batch: list[Found], attempts: quarantine.Attempts
) -> tuple[list[Found], int]:
    """Sets aside the segments that failed or killed a committer too often, and returns their number. Of the others it
    returns only the first if one of them is suspect."""
    fatal = 0
    for found in batch:
        if not quarantine.is_file(found.path):
            quarantine.set_aside(lake, store, found, "it is not a regular file", 0)
        elif attempts.strikes(found) >= quarantine.MOST_STRIKES:
            quarantine.set_aside(lake, store, found, attempts.why(found), attempts.strikes(found))
            attempts.acquit(found)
        else:
            continue
        fatal += 1
    if any(map(attempts.must_go_alone, batch)):
        return batch[:1], fatal
    return batch, fatal


def _join_small(connection: Connection, table: Path, state: Snapshot, busy: bool) -> bool:
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


@dataclass(frozen=True, slots=True)
class _Stored:
    """Files with the rows of the first `segments` of a batch, not yet in the table, and counts of those that did not
    become a row. `refused` requests are set aside."""

    files: list[DataFile]
    damaged: int
    duplicates: int
    refused: int = 0
    segments: int = 0


def _store_rows(connection: Connection, work: Path, table: Path, state: Snapshot, batch: list[Found]) -> _Stored:
    contents = [hot.read(found.path, growing=False) for found in batch]
    loaded = hot.load(connection, "batch", contents, work / "lines.jsonl")
    return replace(_store_table(connection, loaded, table, state, sort=True), segments=len(batch))


def _receiving(connection: Connection, work: Path) -> Receiving:
    from mcpobs.lake.received import Receiving  # wrappers and reports do not need the decoder

    return Receiving(connection, work)


def _store_in_parts(
    receiving: Receiving, work: Path, lake: Path, table: Path, state: Snapshot, batch: list[Found], apart: bool
) -> _Stored:
    """Stores requests of the first segments in parts of bounded size, as at most MOST_PARTITIONS files of one commit.
    With `apart` a part that fails is halved, down to the spans that fail alone; those are set aside."""
    from mcpobs.lake import received, wal

    requests = received.read([found.path for found in batch])
    # a file keeps its time, however often its commit is tried
    received_unix_nano = max(found.path.stat().st_mtime_ns for found in batch)
    stored = _Stored([], requests.damaged, 0, segments=requests.segments)
    waiting = requests.parts
    divisions = MOST_DIVISIONS
    refused: list[Body] = []
    why = ""
    while waiting:
        part, *waiting = waiting
        # Files of an earlier part count as if they were in the table, so that a span in both parts is one row.
        known = replace(state, files=state.files | {file.path: file for file in stored.files})
        try:
            receiving.take(part, received_unix_nano, redact=_redact(batch[0]))
            used = {file.date for file in stored.files if file.date is not None}
            more = _store_requests(receiving, table, known, used, 1 if requests.expanding else MOST_PARTITIONS)
        except Exception as error:
            if not apart or quarantine.is_environmental(error, lake) or not memory.is_obtainable(ROOM_BYTES):
                raise
            if not usable(receiving.connection):
                receiving = _receiving(connect(spill=work, memory_bytes=MEMORY_BYTES), work)
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
        )
    if refused:
        quarantine.set_aside_content(lake, batch[0], wal.encoded(refused), why, attempts=2)
    return replace(stored, refused=len(refused))


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


def _raise_of_the_environment(error: Exception, lake: Path) -> NoReturn:
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


def _store_requests(receiving: Receiving, table: Path, state: Snapshot, used: set[str], most: int) -> _Stored:
    """Writes the batch that was taken, to at most `most` partitions, including those that this commit has `used`."""
    # the collector's commits, every few seconds, are small and are merged and sorted soon
    try:
        written = receiving.write(table, state.files.values(), used=used, one_day=len(used) >= most - 1)
        if written is not None:
            loaded, files = written
            return _Stored(files, loaded.damaged, loaded.repeated)
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
) -> _Stored:
    """Writes the rows of the loaded table `batch` that the lake's table does not have.

    Rows of the spool keep their days: they come from processes of this machine. Received ones are bounded.
    """
    since = None if receiving is None else receiving.look_back_unix_nano
    known = repeated.drop_known(connection, "batch", table, state.files.values(), since)
    if receiving is not None:
        _bound_partitions(connection, receiving.day, frozenset(used), most)
    files = _write(connection, table, sort)
    connection.execute("drop table batch")  # frees memory for the next batch
    return _Stored(files, loaded.damaged, loaded.repeated + known)


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


def _commit(
    table: Path, state: Snapshot, batch: list[Found], stored: _Stored, renewed: list[Progress], done: Commit
) -> Commit:
    reached = {f.segment.writer: f.segment.seq for f in batch}
    progress = [p for p in renewed if p.writer not in reached]
    progress += [Progress(writer, seq) for writer, seq in reached.items()]
    implausible = sum(file.implausible_times for file in stored.files)
    counts = {
        totals.DAMAGED_LINES: stored.damaged,
        totals.DUPLICATES: stored.duplicates,
        totals.IMPLAUSIBLE_TIMES: implausible,
    }
    progress += totals.added(state, counts)
    delta.append(table, state, adds=stored.files, progress=progress)
    return replace(
        done,
        rows=done.rows + sum(f.rows or 0 for f in stored.files),
        segments=done.segments + len(batch),
        damaged_lines=done.damaged_lines + stored.damaged,
        duplicates=done.duplicates + stored.duplicates,
        implausible_times=done.implausible_times + implausible,
        files=done.files + len(stored.files),
        set_aside=done.set_aside + (stored.refused > 0),
    )


def _sealed_batch(
    lake: Path, state: Snapshot, moved: Collection[Store], waiting: Collection[str], expanding: bool
) -> tuple[Store, list[Found], bool]:
    """Returns sealed segments of one store that the table does not have, each writer's without a gap, up to BATCH_BYTES
    and BATCH_SEGMENTS, and whether there are more.

    Expanding writers and the others take turns; `expanding` says which came last. Leaves out stores in `moved` and
    writers in `waiting`: a transaction has one time, so a writer that is committed more often than its grace lasts
    would keep all its segments.
    """
    for store, most in BATCH_BYTES.items():
        batch: list[Found] = []
        size = 0
        if store in moved:
            continue
        # a writer's unsealed segment is its last
        sealed: Iterable[Found] = (
            found
            for found in backlog.segments(lake, store)
            if found.segment.seq > state.covered(found.segment.writer)
            and found.segment.writer not in waiting
            and backlog.sealed(found)
        )
        others: list[Found] = []
        if store is WAL:
            turns: tuple[list[Found], list[Found]] = [], []
            for found in sealed:
                turns[backlog.is_expanding(found.segment)].append(found)
            sealed, others = turns[not expanding], turns[expanding]
            if not sealed:
                sealed, others = others, []
        for found in sealed:
            full = size + found.size_bytes > most or len(batch) == BATCH_SEGMENTS
            if batch and (full or (store is WAL and not _alike(batch[0], found))):
                return store, batch, True
            batch.append(found)
            size += found.size_bytes
        if batch:
            return store, batch, bool(others)
    return SPOOL, [], False


def _alike(one: Found, other: Found) -> bool:
    """Returns whether two log segments were written at nearly the same time and have the same redaction."""
    apart_ns = abs(one.path.stat().st_mtime_ns - other.path.stat().st_mtime_ns)
    return apart_ns <= RECEIPT_SPAN_NS and _redact(one) == _redact(other)


def _redact(found: Found) -> bool:
    return backlog.is_redacted(found.segment)


def _write(connection: Connection, table: Path, sort: bool) -> list[DataFile]:
    files = []
    dates = [row[0] for row in connection.execute(f"select distinct {PARTITION} from batch order by 1").fetchall()]
    for date in dates:
        select = f"select * from batch where {PARTITION} = '{date}'"
        written = parquet.write(connection, select, TYPES, table, date, sort=sort)
        if written is not None:
            files.append(written)
    return files


@dataclass(frozen=True, slots=True)
class _Covered:
    """Segments that are in the table: the number unlinked, the spool writers that have some in their grace, and the
    transactions to write again."""

    unlinked: int
    waiting: frozenset[str]
    renewed: list[Progress]


def _unlink_covered(lake: Path, table: Path, state: Snapshot) -> _Covered:
    """Removes segments that have been in the table for a grace.

    A transaction from the future (the clock was set back) says nothing about its segment's age. It is written again,
    and the segment is unlinked a grace after that.
    """
    now_ms = time.time_ns() // 1_000_000
    covered = [
        (f, UNLINK_GRACE_S if store is SPOOL else 0.0)
        for store in BATCH_BYTES
        for f in backlog.segments(lake, store)
        if f.segment.seq <= state.covered(f.segment.writer)
    ]
    if covered:
        delta.sync_log(table)  # the process that made that commit may have died before it was durable
    unlinked = 0
    waiting: set[str] = set()
    renewed: dict[str, Progress] = {}
    for found, grace_s in covered:
        writer = found.segment.writer
        transaction = state.transactions[writer]
        age_ms = now_ms - transaction.updated_ms
        if grace_s and age_ms < grace_s * 1000:
            waiting.add(writer)
        else:
            try:
                found.path.unlink(missing_ok=True)
                unlinked += 1
                continue
            except OSError:
                pass  # kept, and so is its transaction
        if not 0 <= age_ms < RENEW_S * 1000:
            renewed[writer] = Progress(writer, transaction.version)
    return _Covered(unlinked, frozenset(waiting), list(renewed.values()))
