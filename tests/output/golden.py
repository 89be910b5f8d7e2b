"""Golden files: a format is a contract, and a change of it is a difference that somebody reads."""

from __future__ import annotations

import os
from pathlib import Path

FOLDER = Path(__file__).parent / "golden"


def check(name: str, text: str, folder: Path = FOLDER) -> None:
    """Compares the text with a golden file, byte by byte; with UPDATE_GOLDEN=1 in the environment, writes it."""
    path = folder / name
    if _WRITE:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(text.encode())
    assert text.encode() == path.read_bytes(), f"{path} differs"


_WRITE = bool(os.environ.get("UPDATE_GOLDEN"))  # at import: tests run without our variables
