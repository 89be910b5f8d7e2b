"""Turns several files into one, joined in order or sorted by session. The caller holds the lake's lock."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from mcpobs.lake import cold, delta, parquet, totals
from mcpobs.lake.engine import Connection, EngineError, identifier, quoted
from mcpobs.lake.hot import PREFERENCE
from mcpobs.lake.schema import KEY
from mcpobs.lake.snapshot import PART, WHOLE, DataFile, Snapshot

ROWS_A_FILE = 1_000_000  # 70 MB; larger results are split between sessions


MOST_SORTED_BYTES = 512 << 20
"""Most bytes of resource and scope in rows to sort; more would spill, for minutes, and is written in file order."""

LINKED_ROWS = 1_000  # a file with no more is not sorted again
GROUP_FILES = 256
GROUP_BYTES = 64 << 20
"""Most bytes replaced in one Delta commit. A commit takes 200 ms, most of it to make the log durable."""


@dataclass(slots=True)
class Merged:
    """The replaced files, their replacements, and the number of repeated rows left out. `damaged` files stay as they
    are."""

    replaced: list[DataFile] = field(default_factory=list)
    written: list[DataFile] = field(default_factory=list)
    damaged: list[tuple[DataFile, str]] = field(default_factory=list)
    repeated: int = 0

    def add(self, more: Merged) -> None:
        self.replaced += more.replaced
        self.written += more.written
        self.damaged += more.damaged
        self.repeated += more.repeated

    @property
    def large(self) -> bool:
        """Whether it is large enough for its own commit."""
        size = sum(file.size_bytes for file in self.replaced)
        return size >= GROUP_BYTES or len(self.replaced) + len(self.written) >= GROUP_FILES


def merge(connection: Connection, table: Path, files: Sequence[DataFile], *, whole: bool) -> Merged:
    """Writes the replacements for files of one partition; `replace_files` commits them.

    `whole` promises that no other file has calls of their sessions. A file that proves damaged stays as it is, and the
    promise is then dropped.
    """
    done = Merged()
    if whole and len(files) == 1 and (linked := _linked(connection, table, files[0])) is not None:
        done.replaced, done.written = list(files), [linked]
        return done
    good = list(files)
    try:
        written, repeated = _write(connection, table, good, whole=whole)
    except EngineError:
        done.damaged = [(file, why) for file in files if (why := cold.hidden_damage(connection, table, file))]
        good = [file for file in files if all(file is not other for other, _ in done.damaged)]
        if not done.damaged:
            raise
        if len(good) < 2:
            return done
        written, repeated = _write(connection, table, good, whole=False)
    done.replaced, done.written, done.repeated = good, written, repeated
    return done


def replace_files(table: Path, state: Snapshot, merged: Merged) -> None:
    """Replaces files of any number of partitions in one Delta commit."""
    counts = totals.added(state, {totals.DUPLICATES: merged.repeated})
    changes = merged.repeated > 0
    delta.append(table, state, adds=merged.written, removes=merged.replaced, progress=counts, rows_change=changes)


def _linked(connection: Connection, table: Path, file: DataFile) -> DataFile | None:
    """Links a small file under a whole file's name: the same bytes, because sorting so few rows gains nothing. None if
    it is not small, has a repeated row or cannot be read, or if the file system has no links."""
    if file.rows is None or file.rows > LINKED_ROWS:
        return None
    try:
        if _repeated(connection, cold.relation(connection, table, [file])):
            return None
    except EngineError:
        return None
    folder, _, name = file.path.rpartition("/")
    path = f"{folder}/{WHOLE}{name.removeprefix(PART)}"
    try:
        os.link(table / file.path, table / path)
        delta.sync(table / folder)
    except OSError:
        return None
    return replace(file, path=path)


def join(connection: Connection, table: Path, state: Snapshot, files: Sequence[DataFile]) -> None:
    """Joins small files of one partition into one file, in order, in one Delta commit.

    Copies row by row, so it needs no more memory than a row group; `merge` sorts, which takes all rows at a time. If a
    file cannot be read, all stay as they are; `merge` later finds out which.
    """
    columns = cold.columns_of(connection, table, files)
    select = cold.relation(connection, table, files, columns)
    try:
        file = parquet.write(connection, select, columns, table, files[0].date or "", sort=False)
    except EngineError:
        return
    if file is not None:
        delta.append(table, state, adds=[file], removes=files, rows_change=False)


def _write(
    connection: Connection, table: Path, files: Sequence[DataFile], *, whole: bool
) -> tuple[list[DataFile], int]:
    """Writes the rows of files of one partition to as few files as possible; returns these and the number of repeated
    rows."""
    columns = cold.columns_of(connection, table, files)
    select = cold.relation(connection, table, files, columns)
    names = ", ".join(map(identifier, columns))
    key = ", ".join(KEY)
    repeated = _repeated(connection, select)
    if repeated:
        first = f"row_number() over (partition by {key} order by {PREFERENCE}, {names}) = 1"
        select = f"select {names} from ({select}) qualify {first}"
    date = files[0].date or ""
    sort = _repeated_bytes(connection, select) <= MOST_SORTED_BYTES
    written = []
    for first, last in _session_ranges(connection, select):
        part = f"select * from ({select}) where coalesce(session_id, '') between {quoted(first)} and {quoted(last)}"
        file = parquet.write(connection, part, columns, table, date, whole=whole, sort=sort)
        if file is not None:
            written.append(file)
    return written, repeated


def _repeated_bytes(connection: Connection, select: str) -> int:
    """Returns the bytes of the text that rows share; a sort holds it once per row."""
    counted = "sum(coalesce(strlen(resource), 0) + coalesce(strlen(scope), 0))"
    return int(connection.execute(f"select coalesce({counted}, 0) from ({select})").fetchall()[0][0])


def _repeated(connection: Connection, select: str) -> int:
    """Returns the number of repeated rows. Commits leave repeated deliveries out, unless a file could not be read at
    the time."""
    counted = f"select count(*) as n from ({select}) group by {', '.join(KEY)} having n > 1"
    return int(connection.execute(f"select coalesce(sum(n - 1), 0) from ({counted})").fetchall()[0][0])


def _session_ranges(connection: Connection, select: str) -> list[tuple[str, str]]:
    """Returns ranges of session ids, both ends inclusive, of about ROWS_A_FILE rows each, which together cover all
    rows."""
    sessions = connection.execute(
        f"select coalesce(session_id, '') as session, count(*) from ({select}) group by 1 order by 1"
    ).fetchall()
    ranges: list[tuple[str, str]] = []
    rows = 0
    for session, count in sessions:
        if not ranges or rows + count > ROWS_A_FILE:
            ranges.append((session, session))
            rows = 0
        ranges[-1] = (ranges[-1][0], session)
        rows += count
    return ranges


def sharing_sessions(
    connection: Connection, table: Path, parts: Sequence[DataFile], wholes: Sequence[DataFile]
) -> list[DataFile]:
    """Returns the files of `wholes` that share a session with `parts`."""
    shared = []
    sessions = cold.relation(connection, table, parts, {"session_id": "VARCHAR"})
    for file in wholes:
        its = cold.relation(connection, table, [file], {"session_id": "VARCHAR"})
        found = connection.execute(
            f"select 1 from ({its}) where coalesce(session_id, '') in "
            f"(select coalesce(session_id, '') from ({sessions})) limit 1"
        ).fetchall()
        if found:
            shared.append(file)
    return shared
