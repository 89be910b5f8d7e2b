"""Writes Parquet files of the table. The caller holds the lake's lock and commits what this returns."""

from __future__ import annotations

import os
import secrets
import time
from pathlib import Path

from mcpobs.lake.delta import sync
from mcpobs.lake.engine import Connection, quoted
from mcpobs.lake.schema import ORDER, PARTITION, TIME
from mcpobs.lake.snapshot import DataFile

ROW_GROUP = 122_880
COMMIT_LEVEL = 1  # zstd: what a commit writes is soon compacted
COMPACT_LEVEL = 3
DRAFT_SUFFIX = ".draft"


def write(connection: Connection, select: str, table: Path, date: str, *, level: int) -> DataFile | None:
    """Writes the rows of a select over the lake's columns to a new file in the partition of `date`, sorted.

    The file and its place in its folder are durable when this returns. None where the select has no rows.
    """
    folder = table / f"{PARTITION}={date}"
    if not folder.is_dir():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        sync(table)
    name = f"part-{time.time_ns() // 1000:014x}-{secrets.token_hex(6)}.parquet"
    draft = folder / f".{name}{DRAFT_SUFFIX}"
    connection.execute(
        f"copy (select * exclude ({PARTITION}) from ({select}) order by {', '.join(ORDER)}) to {quoted(draft)} "
        f"(format parquet, compression zstd, compression_level {level}, row_group_size {ROW_GROUP})"
    )
    rows, first, last = connection.execute(
        f"select count(*), min({TIME}), max({TIME}) from read_parquet({quoted(draft)})"
    ).fetchall()[0]
    if not rows:
        draft.unlink()
        return None
    sync(draft)
    os.rename(draft, folder / name)
    sync(folder)
    return DataFile(f"{PARTITION}={date}/{name}", (folder / name).stat().st_size, date, rows, first, last)
