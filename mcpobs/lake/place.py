"""Where things lie in a lake, and whether a folder is one. Creates nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from mcpobs import keys
from mcpobs.errors import LakeError
from mcpobs.segment import SPOOL_FOLDER

SPANS_FOLDER: Final = "spans"


def table_of(lake: Path) -> Path:
    """The folder of the Delta table."""
    return lake / SPANS_FOLDER


def require_lake(lake: Path) -> None:
    """Raises LakeError where the folder holds no lake, or one that this mcpobs does not read."""
    try:
        if keys.read_identity(lake) is None and not any((lake / n).is_dir() for n in (SPOOL_FOLDER, SPANS_FOLDER)):
            raise LakeError(
                f"no lake at {lake}",
                "record one with `mcpobs instrument -- <server command>`, or name another with --lake",
            )
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        raise LakeError(
            f"cannot read the lake at {lake}: {reason or error}", "check the permissions of the lake's folders"
        ) from None
