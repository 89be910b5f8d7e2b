"""Paths of URLs. Does no I/O."""

from __future__ import annotations


def path_of(url: str) -> str:
    """Path and query of a URL that may be relative or absolute."""
    rest = url.strip()
    scheme, found, after = rest.partition("://")
    if found and "/" not in scheme:
        return "/" + after.partition("/")[2]
    return rest if rest.startswith("/") else "/" + rest
