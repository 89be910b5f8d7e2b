"""Finds the files that ship with mcpobs besides code: queries and collector configurations, in a wheel or a
checkout."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parent


def shipped(name: str) -> Path:
    """Returns the folder `queries` or `collector-config`: in a wheel under mcpobs/_data, in a checkout at the top."""
    installed = _PACKAGE / "_data" / name
    return installed if installed.is_dir() else _PACKAGE.parent / name
