"""The two eras of MCP: with a handshake (until 2025-11-25), and with a version in each request (since 2026-07-28)."""

from __future__ import annotations

from typing import Final

MODERN: Final = "2026-07-28"
"""The first version of the modern era. Versions are dates, so they compare as text."""


def is_modern(version: str | None) -> bool:
    """Whether a protocol version is of the modern era. An unknown version counts as legacy."""
    return version is not None and version >= MODERN
