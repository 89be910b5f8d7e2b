"""Writes and deletes the roll-ups of `rollup.py`, always under the lake's lock."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from mcpobs import safefile
from mcpobs.lake.delta import sync
from mcpobs.lake.engine import Connection, quoted
from mcpobs.lake.parquet import DRAFT_SUFFIX
from mcpobs.lake.rollup import FOLDER, path_of
from mcpobs.lake.snapshot import DataFile

_OPTIONS = "format parquet, parquet_version v2, compression zstd, compression_level 2"


def store(connection: Connection, at: Path, file: str, select: str) -> None:
    """Writes the roll-up of a file of the table: the rows of a select. Durable when this returns."""
    safefile.require_own_folder(at.parent)
    safefile.require_own_folder(at)
    if not at.is_dir():
        safefile.make_own_folder(at.parent)
        safefile.make_own_folder(at)
    draft = at / f".{Path(file).name}{DRAFT_SUFFIX}"
    draft.unlink(missing_ok=True)  # its name is predictable, and a link there would be followed
    try:
        connection.execute(f"copy ({select}) to {quoted(draft)} ({_OPTIONS})")
        sync(draft)
        os.rename(draft, path_of(at, file))
        sync(at)
    finally:
        draft.unlink(missing_ok=True)


def vacuum(lake: Path, files: Iterable[DataFile], kept: Iterable[Path], grace_s: float) -> int:
    """Deletes roll-ups of queries no longer used and of files no longer in the table, after a grace; returns their
    number. The caller holds the lake's lock."""
    names = {Path(file.path).name for file in files}
    alive = set(kept)
    gone = 0
    if (lake / FOLDER).is_symlink():
        return 0  # the folder behind a link is not ours to delete
    for at in sorted(path for path in (lake / FOLDER).glob("*") if path.is_dir() and not path.is_symlink()):
        if at not in alive:
            gone += sum(1 for _ in at.glob("*.parquet"))
            shutil.rmtree(at, ignore_errors=True)
            continue
        for path in at.iterdir():
            with suppress(OSError):
                if path.name not in names and time.time() - path.stat().st_mtime >= grace_s:
                    path.unlink()
                    gone += 1
    return gone
