"""Finds roll-ups: results computed once per file of the table, each in a Parquet file beside it. `rolling.py` writes
them.

    <lake>/rollup/<name>-<mark>/<file>.parquet

A file of the table never changes, so its roll-up is valid as long as the file is in the table. `mark` identifies the
query: a changed query of the same name has another folder. All roll-ups can be deleted at any time and computed again.
Knows no query: the caller brings the SQL.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from mcpobs import safefile

FOLDER = "rollup"
_MAGIC = b"PAR1"


def folder(lake: Path, name: str, mark: str) -> Path:
    """Returns the folder of one query's roll-ups."""
    return lake / FOLDER / f"{name}-{mark}"


def path_of(at: Path, file: str) -> Path:
    """Returns the path of the roll-up of a file, which is named by its path in the table."""
    return at / Path(file).name


def stored(at: Path, files: Iterable[str]) -> dict[str, Path]:
    """Returns the files that have a roll-up there, with its path."""
    try:
        there = set(os.listdir(at))
    except OSError:
        return {}
    return {file: path_of(at, file) for file in files if Path(file).name in there}


def sound(path: Path) -> bool:
    """Returns whether a file ends as Parquet does; a file truncated by a full disk or a loss of power does not."""
    try:
        with os.fdopen(safefile.open_regular(path), "rb") as opened:
            opened.seek(-len(_MAGIC), os.SEEK_END)
            return opened.read() == _MAGIC
    except OSError:
        return False
