"""Answers that were taken of a file of the table once and for all, each in a Parquet file beside the table. Only finds
them: `rolling.py` writes.

    <lake>/rollup/<name>-<mark>/<file>.parquet

A file of the table never changes, so what was taken of it holds as long as it is in the table. `mark` tells what the
answer is to: another question under the same name is another folder. All of it can be deleted at any time and taken
again. Knows no question: whoever asks brings the SQL.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from mcpobs import safefile

FOLDER = "rollup"
_MAGIC = b"PAR1"


def folder(lake: Path, name: str, mark: str) -> Path:
    """Where the answers of one question lie."""
    return lake / FOLDER / f"{name}-{mark}"


def path_of(at: Path, file: str) -> Path:
    """The answer of a file of the table, which is named by its path in the table."""
    return at / Path(file).name


def stored(at: Path, files: Iterable[str]) -> dict[str, Path]:
    """Those of the files that have an answer there, with its path."""
    try:
        there = set(os.listdir(at))
    except OSError:
        return {}
    return {file: path_of(at, file) for file in files if Path(file).name in there}


def sound(path: Path) -> bool:
    """Whether a file ends as Parquet does: one that a full disk or a loss of power cut short does not."""
    try:
        with os.fdopen(safefile.open_regular(path), "rb") as opened:
            opened.seek(-len(_MAGIC), os.SEEK_END)
            return opened.read() == _MAGIC
    except OSError:
        return False
