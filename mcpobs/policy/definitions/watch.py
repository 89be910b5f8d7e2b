"""Watches the tool definitions of one server for a front: compares what it lists with what a person approved.

Two files: the approved definitions, which only `mcpobs approve` writes, and the seen ones, which fronts write for it.
A change of either takes effect within LOOK_S, so an approval reaches a running server.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

from mcpobs.errors import UsageError
from mcpobs.policy.definitions import record
from mcpobs.policy.definitions.definition import MAX_NAME, MAX_TOOLS, Definition
from mcpobs.policy.definitions.record import Entry, Record
from mcpobs.policy.model import Layer
from mcpobs.stderr import warn
from mcpobs.terminal import HINT

LOOK_S: Final = 1.0
WRITES: Final = 16
MAX_SEEN_BYTES: Final = 16 << 20
"""Bound of the definitions that one server can make a front keep."""
Standing = Literal["approved", "new", "changed"]
APPROVED: Final = "approved"
SEEN: Final = "seen"
"""Folders below that of config.toml."""


def approved_file(folder: Path, server: str) -> Path:
    return folder / APPROVED / record.file_name(server)


def approved_of(layer: Layer, named: str) -> Path:
    """Returns the file that an entry of a policy names: from the folder of the policy's file on."""
    return Path(layer.source).parent / Path(named).expanduser()


def seen_file(folder: Path, server: str) -> Path:
    return folder / SEEN / record.file_name(server)


class Watch:
    """The definitions of one server. Not for several threads at a time.

    A tool that a server lists twice has several definitions and takes the worst standing.
    """

    def __init__(
        self,
        server: str,
        approved: Path,
        seen: Path,
        *,
        warn: Callable[[str], None] = warn,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Raises UsageError if the approved definitions cannot be read."""
        self._server = server
        self._approved, self._seen = approved, seen
        self._warn, self._clock, self._now = warn, clock, now
        self._stamp = _stamp(approved)
        self._known = record.read(approved, server, whole=True) or Record(server)
        self._seen_here: dict[str, frozenset[str]] = {}  # fingerprints that this process saw in the last listing
        self._seen_ever = self._read_seen()
        self._seen_bytes = _bytes(self._seen_ever)
        self._looked_s = clock()
        self._writes, self._wrote_s = float(WRITES), clock()
        self._dirty: set[str] = set()  # seen, and not written yet
        self._has_failed = False

    def listed(self, definitions: Sequence[Definition]) -> list[Standing]:
        """Reads a page of `tools/list`; returns the standing of each of its tools."""
        self._look()
        page: dict[str, set[str]] = {}
        for one in definitions:
            page.setdefault(one.name, set()).add(one.sha256)
        for name, prints in page.items():
            known = name in self._known.tools or name in self._seen_here
            if known or len(self._seen_here) < MAX_TOOLS:
                self._seen_here[name] = frozenset(prints)
        self._note(definitions)
        self._write()
        return [self._of(one.name, page[one.name]) for one in definitions]

    def standing(self, tool: str) -> Standing:
        """Returns the standing of a tool in the newest list, of this or another front of the server. A tool that
        nobody has listed yet counts as approved if an approval exists."""
        self._look()
        self._write()
        seen = self._seen_ever.tools.get(tool)
        return self._of(tool, self._seen_here.get(tool) or ({seen.definition.sha256} if seen is not None else set()))

    def _of(self, name: str, prints: Collection[str]) -> Standing:
        known = self._known.tools.get(name)
        if known is None:
            return "new"
        return "approved" if all(one == known.definition.sha256 for one in prints) else "changed"

    # -- files ---------------------------------------------------------------------------------------------------

    def _look(self) -> None:
        """Reads the approved definitions again if their file has changed. Keeps those in force if it is damaged."""
        now = self._clock()
        if now - self._looked_s < LOOK_S:
            return
        self._looked_s = now
        stamp = _stamp(self._approved)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._known = record.read(self._approved, self._server, whole=True) or Record(self._server)
        except UsageError as error:
            self._warn(f"{error.message}; the definitions approved before stay in force")
            return

    def _read_seen(self) -> Record:
        """Returns the definitions that fronts saw before. Ignores a damaged file, which is then written again."""
        with suppress(UsageError):
            return record.read(self._seen, self._server) or Record(self._server)
        return Record(self._server)

    def _note(self, definitions: Sequence[Definition]) -> None:
        """Keeps new definitions for `mcpobs approve`, up to a bound: the server chooses how many, and how large."""
        tools, at = self._seen_ever.tools, self._now().isoformat(timespec="seconds")
        kept = dict(tools)
        for one in definitions:
            known = kept.get(one.name)
            if len(one.name) > MAX_NAME or (known is not None and known.definition.sha256 == one.sha256):
                continue
            one = one if one.value is not None else one._replace(size_bytes=len(one.name))  # its fingerprint is kept
            size = self._seen_bytes + one.size_bytes - (0 if known is None else known.definition.size_bytes)
            if size <= MAX_SEEN_BYTES and (known is not None or len(kept) < MAX_TOOLS):
                kept[one.name], self._seen_bytes = Entry(one, at), size
                self._dirty.add(one.name)
        self._seen_ever = replace(self._seen_ever, tools=kept)

    def _write(self) -> None:
        """Writes what was seen: WRITES times at once, then once a second, because a server may change its definitions
        with every listing."""
        now = self._clock()
        self._writes, self._wrote_s = min(WRITES, self._writes + now - self._wrote_s), now
        if not self._dirty or self._writes < 1:
            return
        self._writes -= 1
        ours = {name: self._seen_ever.tools[name] for name in self._dirty}
        self._dirty.clear()
        self._seen_ever = replace(self._seen_ever, tools={**self._read_seen().tools, **ours})  # others write it too
        self._seen_bytes = _bytes(self._seen_ever)
        try:
            record.write(self._seen, self._seen_ever)
        except OSError as error:
            if not self._has_failed:
                self._warn(
                    f"cannot write {self._seen}: {error.strerror}{HINT}`mcpobs approve` needs it: check its folder"
                )
            self._has_failed = True


def _bytes(seen: Record) -> int:
    return sum(entry.definition.size_bytes for entry in seen.tools.values())


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
