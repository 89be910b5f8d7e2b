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

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from mcpobs.errors import LakeError
from mcpobs.lake import backlog, delta, joining, memory, quarantine, snapshot, totals
from mcpobs.lake.backlog import SPOOL, WAL, Found, Store
from mcpobs.lake.delta import Progress
from mcpobs.lake.engine import connect
from mcpobs.lake.lock import committer, exclusive
from mcpobs.lake.place import require_lake, table_of
from mcpobs.lake.sealed import remove_covered, sealed_batch
from mcpobs.lake.snapshot import Snapshot
from mcpobs.lake.storing import (
    ROOM_BYTES,
    Stored,
    raise_of_the_environment,
    receiving_with,
    store_in_parts,
    store_rows,
)
from mcpobs.lake.vacuum import vacuum

if TYPE_CHECKING:
    from mcpobs.lake.received import Receiving

LARGE_BYTES = 16 << 20  # of spool: a reader checks and loads that in about 200 ms


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
        return remove_covered(lake, table, snapshot.load(table, connect)).unlinked


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
            covered = remove_covered(lake, table, state)
            done = replace(done, unlinked=done.unlinked + covered.unlinked)
            store, sealed, cut = sealed_batch(lake, state, moved, covered.waiting if busy else frozenset(), expanding)
            batch, set_aside = _without_fatal(lake, store, sealed, attempts)
            done = replace(done, set_aside=done.set_aside + set_aside)
            if set_aside:
                continue
            if not batch:
                if covered.renewed:
                    delta.append(table, state, adds=[], progress=covered.renewed)
                    state = snapshot.load(table, lambda: connection)
                if joining.join_small(connection, table, state, busy):
                    state = snapshot.load(table, lambda: connection)
                vacuum(table, state)
                break
            try:
                with attempts.on(batch):
                    if store is SPOOL:
                        stored = store_rows(connection, work, table, state, batch)
                    else:
                        kept = kept or receiving_with(connection, work)
                        apart = attempts.must_go_alone(batch[0])
                        stored = store_in_parts(kept, work, lake, table, state, batch, apart)
            except Exception as error:  # of any kind: the next segments must not wait
                if quarantine.is_environmental(error, lake):
                    attempts.forget()
                    raise_of_the_environment(error, lake)
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
            if done.files - joined > joining.MANY_FILES:  # else senders that never pause would pile up files
                joined = done.files
                joining.join_small(connection, table, snapshot.load(table, lambda: connection), busy=True)
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
                    stored = store_rows(connection, work, table, state, [found])
                else:
                    receiving = receiving_with(connection, work)
                    stored = store_in_parts(receiving, work, lake, table, state, [found], apart=True)
            except Exception as error:
                if quarantine.is_environmental(error, lake):
                    raise_of_the_environment(error, lake)
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


def _commit(
    table: Path, state: Snapshot, batch: list[Found], stored: Stored, renewed: list[Progress], done: Commit
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
    superseded = stored.superseded
    delta.append(
        table, state, adds=[*stored.files, *superseded.written], removes=superseded.replaced, progress=progress
    )
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
