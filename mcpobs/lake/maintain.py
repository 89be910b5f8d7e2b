"""Keeps the lake small and fast: compaction and retention. Replaced files stay on disk for a grace (`vacuum.py`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from mcpobs.lake import cold, delta, parquet, quarantine, snapshot, storing, writer
from mcpobs.lake.engine import Connection, EngineError
from mcpobs.lake.lock import committer, exclusive
from mcpobs.lake.merge import Merged, merge, replace_files, sharing_sessions
from mcpobs.lake.place import require_lake, table_of
from mcpobs.lake.reader import open_reading
from mcpobs.lake.schema import TIME
from mcpobs.lake.snapshot import DataFile
from mcpobs.lake.vacuum import GRACE_S, Vacuumed, vacuum
from mcpobs.lake.writer import Commit

Step = Callable[[str], None]
"""Called with the next step, to show progress to a waiting user."""

RollUp = Callable[[Connection, Path, list[DataFile], float, Step], int]
"""Builds report summaries of each file, on a connection to the lake at a path; deletes summaries unused for a grace, in
seconds. Returns the number of files summarised."""


@dataclass(frozen=True, slots=True)
class Compaction:
    """The result of `compact`. Sizes are those of the merged files, before and after."""

    committed: Commit
    merged_files: int
    merged_bytes: int
    written_files: int
    written_bytes: int
    partitions: int
    damaged_files: list[tuple[Path, str]]
    rolled_up: int
    vacuumed: Vacuumed
    unmerged: list[tuple[str, int, str]] = field(default_factory=list)
    """Days whose files stay as they are, the number of these files, and the reason."""


@dataclass(frozen=True, slots=True)
class Prune:
    """The result of `prune`, or of its dry run. `left_rows` are old but stay: their segment is still being written."""

    cutoff_unix_nano: int
    rows: int
    dropped_files: int
    rewritten_files: int
    left_rows: int
    damaged_files: list[tuple[Path, str]]
    vacuumed: Vacuumed
    dry_run: bool


def compact(
    lake: Path, *, step: Step | None = None, grace_s: float = GRACE_S, roll_up: RollUp | None = None
) -> Compaction:
    """Commits the spool, then merges each partition so that each session lies in one file, in order. Last, `roll_up`
    summarises each file.

    Raises LakeError if there is no lake, or it cannot be written.
    """
    require_lake(lake)
    report = step or _silent
    with exclusive(lake, wait=True), committer(lake) as (connection, _):
        table = table_of(lake)
        report("moving the spool")
        committed = writer.move_sealed(lake)
        merged, unmerged = _merge_all(connection, lake, report)
        state = snapshot.load(table, lambda: connection)
        rolled = 0 if roll_up is None else roll_up(connection, lake, list(state.files.values()), grace_s, report)
        cleaned = vacuum(table, state, grace_s=grace_s)
    return Compaction(
        committed=committed,
        merged_files=len(merged.replaced),
        merged_bytes=_bytes(merged.replaced),
        written_files=len(merged.written),
        written_bytes=_bytes(merged.written),
        partitions=len({file.date for file in merged.replaced}),
        damaged_files=[(table / file.path, why) for file, why in merged.damaged],
        rolled_up=rolled,
        vacuumed=cleaned,
        unmerged=unmerged,
    )


def _merge_all(connection: Connection, lake: Path, report: Step) -> tuple[Merged, list[tuple[str, int, str]]]:
    """Merges each partition. Small ones share a Delta commit, so that a table of 1,000 days does not take minutes.

    Returns also the partitions that stay as they are: day, number of files, reason.
    """
    table = table_of(lake)
    done, group = Merged(), Merged()
    unmerged: list[tuple[str, int, str]] = []

    def finish() -> None:
        nonlocal group
        if group.replaced:
            replace_files(table, snapshot.load(table, lambda: connection), group)
        done.add(group)
        group = Merged()

    try:
        for date, files in sorted(_by_date(snapshot.load(table, lambda: connection).files.values()).items()):
            good, bad = _readable(connection, table, files)
            group.damaged += bad
            chosen = _to_merge(connection, table, good)
            if not chosen:
                continue
            report(f"sorting {_files(len(chosen))} of {date}")
            try:
                group.add(merge(connection, table, chosen, whole=not bad))
            except (EngineError, MemoryError) as error:
                if quarantine.is_environmental(error, lake) or not storing.usable(connection):
                    raise
                unmerged.append((date, len(chosen), quarantine.described(error)))
            if group.large:
                finish()
    except (EngineError, MemoryError):
        finish()  # commits the merges that are done
        raise
    finish()
    return done, unmerged


def prune(
    lake: Path, cutoff_unix_nano: int, *, dry_run: bool = False, grace_s: float = GRACE_S, step: Step | None = None
) -> Prune:
    """Drops the operations that began before the cutoff, whichever day their session began.

    Commits the spool first. Raises LakeError if there is no lake or it cannot be written.
    """
    require_lake(lake)
    if dry_run:
        return _predict(lake, cutoff_unix_nano)
    report = step or _silent
    with exclusive(lake, wait=True), committer(lake) as (connection, _):
        table = table_of(lake)
        report("moving the spool")
        writer.move_sealed(lake)
        state = snapshot.load(table, lambda: connection)
        old, mixed = _split(state.files.values(), cutoff_unix_nano)
        written: list[DataFile] = []
        rewritten: list[DataFile] = []
        damaged: list[tuple[DataFile, str]] = []
        rows = sum(file.rows or 0 for file in old)
        for file in mixed:
            report(f"rewriting {file.path}")
            try:
                if why := cold.visible_damage(table, file):
                    damaged.append((file, why))
                    continue
                kept = _rewrite(connection, table, file, cutoff_unix_nano)
            except EngineError as error:
                damaged.append((file, quarantine.described(error)))
                continue
            if kept is not None and kept.rows == file.rows:
                (table / kept.path).unlink()  # no row in it was old: its statistics were missing
                continue
            rewritten.append(file)
            rows += (file.rows or 0) - (0 if kept is None else kept.rows or 0)
            if kept is not None:
                written.append(kept)
        if old or rewritten:
            delta.append(table, state, adds=written, removes=[*old, *rewritten])
            state = snapshot.load(table, lambda: connection)
        cleaned = vacuum(table, state, grace_s=grace_s)
    with open_reading(lake, until_unix_nano=cutoff_unix_nano) as reading:
        left = _count(reading.connection, "_hot", cutoff_unix_nano)
    return Prune(
        cutoff_unix_nano=cutoff_unix_nano,
        rows=rows,
        dropped_files=len(old),
        rewritten_files=len(rewritten),
        left_rows=left,
        damaged_files=[(table / file.path, why) for file, why in damaged],
        vacuumed=cleaned,
        dry_run=False,
    )


def _predict(lake: Path, cutoff_unix_nano: int) -> Prune:
    """Returns the result that `prune` would have now, without a lock or a write."""
    table = table_of(lake)
    with open_reading(lake, until_unix_nano=cutoff_unix_nano) as reading:
        rows = _count(reading.connection, "spans", cutoff_unix_nano)
        state = snapshot.load(table, lambda: reading.connection)
        damaged = reading.damaged_files
    old, mixed = _split(state.files.values(), cutoff_unix_nano)
    return Prune(cutoff_unix_nano, rows, len(old), len(mixed), 0, damaged, Vacuumed(), dry_run=True)


def _split(files: Iterable[DataFile], cutoff: int) -> tuple[list[DataFile], list[DataFile]]:
    """Returns the files whose operations are all older than the cutoff, and the files that may have some older ones."""
    old, mixed = [], []
    for file in files:
        if file.last_unix_nano is not None and file.last_unix_nano < cutoff:
            old.append(file)
        elif file.overlaps(None, cutoff):
            mixed.append(file)
    return old, mixed


def _rewrite(connection: Connection, table: Path, file: DataFile, cutoff: int) -> DataFile | None:
    """Writes a new file with the remaining rows of a file; None if none remain."""
    columns = cold.columns_of(connection, table, [file])
    select = f"select * from ({cold.relation(connection, table, [file], columns)}) where {TIME} >= {cutoff}"
    return parquet.write(connection, select, columns, table, file.date or "", whole=file.whole)


def _to_merge(connection: Connection, table: Path, files: list[DataFile]) -> list[DataFile]:
    """Returns the files of a partition that must be merged so that each session lies in one file."""
    parts = [file for file in files if not file.whole]
    wholes = [file for file in files if file.whole]
    if not parts or not wholes:
        return parts
    return [*parts, *sharing_sessions(connection, table, parts, wholes)]


def _readable(
    connection: Connection, table: Path, files: list[DataFile]
) -> tuple[list[DataFile], list[tuple[DataFile, str]]]:
    good, bad = [], []
    for file in files:
        why = cold.visible_damage(table, file)
        try:
            if why is None:
                cold.columns_of(connection, table, [file])
        except EngineError as error:
            why = quarantine.described(error)
        if why is None:
            good.append(file)
        else:
            bad.append((file, why))
    return good, bad


def _by_date(files: Iterable[DataFile]) -> dict[str, list[DataFile]]:
    found: dict[str, list[DataFile]] = {}
    for file in files:
        found.setdefault(file.date or "", []).append(file)
    return found


def _count(connection: Connection, name: str, cutoff: int) -> int:
    return int(connection.execute(f"select count(*) from {name} where {TIME} < {cutoff}").fetchall()[0][0])


def _bytes(files: Iterable[DataFile]) -> int:
    return sum(file.size_bytes for file in files)


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count:,} files"


def _silent(_: str) -> None:
    pass
