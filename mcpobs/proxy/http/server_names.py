"""Keeps how the server calls itself: the addresses at which it was reached, and the paths of its metadata."""

from __future__ import annotations

from collections.abc import Callable

from mcpobs.protocol.text import bounded
from mcpobs.proxy.http.own_urls import place_of

MAX_NAMES = 64
METADATA_PATH = "/.well-known/oauth-protected-resource"


class ServerNames:
    """One object a front. `warn_once` takes a kind of warning and its text."""

    def __init__(self, warn_once: Callable[[str, str], None]) -> None:
        self._warn_once = warn_once
        self.addresses: set[str] = set()
        self._metadata_paths: set[str] = set()

    def reached(self, address: str | None) -> None:
        if address is not None and len(self.addresses) < MAX_NAMES:
            self.addresses.add(address)

    def add_metadata(self, paths: list[str]) -> None:
        """Keeps the paths at which the server says that its metadata lies."""
        if len(self._metadata_paths) < MAX_NAMES:
            self._metadata_paths.update(paths)

    def is_metadata(self, path: str) -> bool:
        """Whether a path leads to OAuth protected resource metadata: well-known, or named by a challenge."""
        return METADATA_PATH in path or path in self._metadata_paths

    def leads_past(self, subject: str, url: str) -> None:
        """Warns of a URL by which clients leave this proxy out."""
        place = place_of("http:" + url.strip().partition(":")[2] if "://" in url else f"http:{url.strip()}")
        host = bounded(place.host, 128) if place is not None and place.host.isprintable() else "?"
        self._warn_once(
            f"past {subject}",
            f"warning: {subject} at another host ({host}): those calls are not recorded\n"
            "hint: name the server in --upstream as it names itself",
        )

    def leaves_out_trailers(self) -> None:
        self._warn_once("trailers", "warning: the server sends trailers, and clients get its answers without them")

    def cannot_read(self, subject: str) -> None:
        """Warns of an answer that may name the server by a URL, and passes as it is."""
        self._warn_once(
            f"unread {subject}",
            f"warning: {subject}: it passes as it is, and calls to an endpoint that it names may not be recorded\n"
            "hint: let the server name its endpoint by a path",
        )
