"""Golden files: a format is a contract, and a change of it is a difference that somebody reads."""

from __future__ import annotations

import os
from pathlib import Path


def check(path: Path, text: str) -> None:
    """Compares the text with a golden file, byte by byte; with UPDATE_GOLDEN=1 in the environment, writes it."""
    if _WRITE:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(text.encode())
    assert text.encode() == path.read_bytes(), f"{path} differs: run with UPDATE_GOLDEN=1 and read the difference"


_WRITE = bool(os.environ.get("UPDATE_GOLDEN"))  # at import: tests run without our variables
