"""Owns the layout of a lake and checks that a folder is one. Creates nothing."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Final

from mcpobs import keys, safefile
from mcpobs.errors import LakeError
from mcpobs.segment import SPOOL_FOLDER

SPANS_FOLDER: Final = "spans"
LOG_FOLDER: Final = "_delta_log"
_FOLDERS: Final = (
    SPOOL_FOLDER,
    "wal",
    "quarantine",
    "rollup",
    ".work",
    SPANS_FOLDER,
    f"{SPANS_FOLDER}/{LOG_FOLDER}",
)
"""Folders of a lake that mcpobs writes to."""


def table_of(lake: Path) -> Path:
    """Returns the folder of the Delta table."""
    return lake / SPANS_FOLDER


def require_own_folders(lake: Path) -> None:
    """Raises LakeError if a folder of the lake is a symbolic link or not a folder. The lake itself may be a link."""
    for name in _FOLDERS:
        try:
            safefile.require_own_folder(lake / name)
        except OSError as error:
            raise LakeError(
                f"cannot write to the lake at {lake}: {name} is "
                + ("a symbolic link" if error.errno == errno.ELOOP else "not a folder"),
                "replace it with a folder; the lake itself may be a link to one elsewhere",
            ) from None


def require_lake(lake: Path) -> None:
    """Raises LakeError if the folder holds no lake or a lake that this mcpobs cannot read."""
    try:
        if keys.read_identity(lake) is None and not any((lake / n).is_dir() for n in (SPOOL_FOLDER, SPANS_FOLDER)):
            raise LakeError(
                f"no lake at {lake}",
                "record one: mcpobs instrument -- <server command>; or name another: --lake",
            )
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        raise LakeError(
            f"cannot read the lake at {lake}: {reason or error}", "check the permissions of the lake's folders"
        ) from None
