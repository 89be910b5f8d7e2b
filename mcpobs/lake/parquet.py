"""Writes Parquet files of the table. The caller holds the lake's lock and commits the files returned."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Final, NamedTuple

from mcpobs import safefile
from mcpobs.lake.delta import sync
from mcpobs.lake.engine import Connection, identifier, one_thread, quoted
from mcpobs.lake.schema import IMPLAUSIBLE, ORDER, PARTITION, REPORTED, SENT, TIME, suffix
from mcpobs.lake.snapshot import PART, WHOLE, DataFile, Reporter

# Measured on 341k rows with random ids, bytes a span: version 1 76.3 · version 2 with zstd 1 70.7, 2 67.7, 3 69.2,
# 5 70.8 (delta-encoded times; hex digits suit level 2) · unsorted 83.0 · snappy 134. Row groups of 61k to 246k and
# other dictionary limits: within 1 %, and a dictionary of all ids makes it 97.
_OPTIONS = "format parquet, parquet_version v2, compression zstd, compression_level 2"
_ROW_GROUP = 122_880
_SMALL_ROW_GROUP = 30_720  # 4 % more bytes; a row group is held in memory, and one of the others is 150 MB of OTLP
DRAFT_SUFFIX = ".draft"
_MOST_REPORTERS = 64


TIMES: Final = f"min({TIME}), max({TIME}), min({SENT}), max({SENT}), count(*) filter ({IMPLAUSIBLE})"
"""Aggregates for `Times.of`."""


class Times(NamedTuple):
    """The time statistics of a file in the log; the fields are those of DataFile."""

    first: int | None
    last: int | None
    sent: tuple[int, int] | None
    implausible: int

    @classmethod
    def of(cls, found: Sequence[Any]) -> Times:
        """Returns the statistics of `found`, values of the aggregates TIMES."""
        first, last, earliest, latest, implausible = found
        return cls(first, last, None if earliest is None else (earliest, latest), implausible)


def write(
    connection: Connection,
    select: str,
    columns: Mapping[str, str],
    table: Path,
    date: str,
    *,
    whole: bool = False,
    sort: bool = True,
) -> DataFile | None:
    """Writes columns (name to type) of a select to a new file in the partition of `date`.

    Sorts by schema.ORDER unless `sort` is False: sorting is half of the work and holds all rows in memory, so it pays
    only for a file that stays.

    The file and its folder entry are durable when this returns. None if the select has no rows. `whole` marks a file
    that holds every row that the table had of its sessions.
    """
    folder = _partition(table, date)
    draft = folder / f".{_name(columns, whole)}{DRAFT_SUFFIX}"
    with nullcontext() if sort else one_thread(connection):
        connection.execute(copying(select, columns, draft, sort=sort))
    rows, *times = connection.execute(f"select count(*), {TIMES} from read_parquet({quoted(draft)})").fetchall()[0]
    if not rows:
        draft.unlink()
        return None
    return place(draft, table, date, columns, rows, Times.of(times), reporters(connection, draft), whole=whole)


def copying(select: str, columns: Mapping[str, str], draft: Path, *, sort: bool) -> str:
    """Returns the statement that writes columns of a select to a draft."""
    kept = ", ".join(identifier(column) for column in columns if column != PARTITION)
    order = f" order by {', '.join(ORDER)}" if sort else ""
    options = f"{_OPTIONS}, row_group_size {_ROW_GROUP if sort else _SMALL_ROW_GROUP}"
    return f"copy (select {kept} from ({select}){order}) to {quoted(draft)} ({options})"


def place(
    draft: Path,
    table: Path,
    date: str,
    columns: Mapping[str, str],
    rows: int,
    times: Times,
    reporters: tuple[Reporter, ...] | None,
    *,
    whole: bool = False,
) -> DataFile:
    """Renames a draft, with this number of rows and these times, into the partition of `date`.

    The file and its place in its folder are durable when this returns.
    """
    sync(draft)
    path = _partition(table, date) / _name(columns, whole)
    os.rename(draft, path)
    sync(path.parent)
    return DataFile(
        path=f"{PARTITION}={date}/{path.name}",
        size_bytes=path.stat().st_size,
        date=date,
        rows=rows,
        first_unix_nano=times.first,
        last_unix_nano=times.last,
        reporters=reporters,
        sent=times.sent,
        implausible_times=times.implausible,
    )


def reporters(connection: Connection, draft: Path) -> tuple[Reporter, ...] | None:
    """Returns the reporters of the operations in a file; None if too many to list in the log."""
    found = connection.execute(
        f"select distinct service_name, scope_name, front from read_parquet({quoted(draft)}) where {REPORTED} "
        f"limit {_MOST_REPORTERS + 1}"
    ).fetchall()
    return None if len(found) > _MOST_REPORTERS else tuple((row[0], row[1], row[2]) for row in sorted(found, key=str))


def _partition(table: Path, date: str) -> Path:
    folder = table / f"{PARTITION}={date}"
    safefile.require_own_folder(table)
    safefile.require_own_folder(folder)
    if not folder.is_dir():
        safefile.make_own_folder(table)
        safefile.make_own_folder(folder)
        sync(table)
    return folder


def _name(columns: Mapping[str, str], whole: bool) -> str:
    """Returns a new name for a file with these columns."""
    return f"{WHOLE if whole else PART}{time.time_ns() // 1000:014x}-{os.urandom(6).hex()}{suffix(columns)}"
