"""Bounds the memory of the process that calls it. Knows nothing of the lake."""

from __future__ import annotations

from contextlib import suppress


def limit(data_bytes: int) -> None:
    """Sets RLIMIT_DATA: beyond it an allocation fails. A lower limit stays, and so does a system that has none."""
    with suppress(ImportError, OSError, ValueError):
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        if hard == resource.RLIM_INFINITY or hard > data_bytes:
            resource.setrlimit(resource.RLIMIT_DATA, (data_bytes, hard))
