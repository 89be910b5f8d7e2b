"""Finds what ships with mcpobs beside its code: queries and collector configurations, in a wheel and in a checkout."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parent


def shipped(name: str) -> Path:
    """The folder `queries` or `collector-config`. In a wheel it lies in mcpobs/_data, in a checkout at the top."""
    installed = _PACKAGE / "_data" / name
    return installed if installed.is_dir() else _PACKAGE.parent / name
