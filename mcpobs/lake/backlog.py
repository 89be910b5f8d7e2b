"""Which segments wait for the committer, and whether it is worth a commit. Cheap: imports neither DuckDB nor deltalake.

The wrapper asks it at its end and when it rolls a segment. It never waits for a lock.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from mcpobs.errors import LakeError
from mcpobs.segment import SPOOL_FOLDER, SUFFIX, Segment, parse_name

WORTH_BYTES = 4 << 20
WORTH_SEGMENTS = 64


class Store(NamedTuple):
    """A folder of the lake in which writers leave segments, and how their names end."""

    folder: str
    suffix: str

    def path(self, lake: Path, segment: Segment) -> Path:
        return lake / self.folder / f"{segment.writer}.{segment.seq}{self.suffix}"


SPOOL = Store(SPOOL_FOLDER, SUFFIX)
"""Rows, as the fronts write them; readers read them too."""

WAL = Store("wal", ".otlp")
"""Requests, as the collector acknowledged them; read by the committer alone."""


REDACTED = "-redact"
"""How a writer of the log is called whose requests are to be committed without content, whoever commits them."""


def is_redacted(segment: Segment) -> bool:
    return segment.writer.endswith(REDACTED)


@dataclass(frozen=True, slots=True)
class Found:
    """A segment of a store. `followed` is true where its writer has opened a later one: it grows no more."""

    segment: Segment
    path: Path
    size_bytes: int
    followed: bool


def segments(lake: Path, store: Store = SPOOL) -> list[Found]:
    """The segments of a store, by writer and place."""
    listed: list[tuple[Segment, Path, int]] = []
    try:
        with os.scandir(lake / store.folder) as entries:
            for entry in entries:
                segment = parse_name(entry.name, store.suffix)
                if segment is None:
                    continue
                try:
                    listed.append((segment, Path(entry.path), entry.stat(follow_symlinks=False).st_size))
                except FileNotFoundError:
                    continue  # taken away by a committer
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise LakeError(
            f"cannot read {lake / store.folder}: {error.strerror}", "check the permissions of the lake's folders"
        ) from None
    listed += _missed(lake, store, {segment for segment, _, _ in listed})
    listed.sort()
    newest: dict[str, int] = {segment.writer: segment.seq for segment, _, _ in listed}
    return [Found(segment, path, size, segment.seq < newest[segment.writer]) for segment, path, size in listed]


def _missed(lake: Path, store: Store, listed: set[Segment]) -> Iterator[tuple[Segment, Path, int]]:
    """Segments that exist and were not listed.

    A listing is no moment: of two files that are made while it runs it may show the later one alone. A committer
    that took the later one would say that its writer is in the table up to there, and the earlier one was lost.
    A writer makes its segments in order, so each one before a listed one was there by now, or is in the table.
    """
    newest: dict[str, int] = {}
    oldest: dict[str, int] = {}
    for writer, seq in listed:
        newest[writer] = max(seq, newest.get(writer, seq))
        oldest[writer] = min(seq, oldest.get(writer, seq))
    for writer, last in newest.items():
        for seq in range(last - 1, 0, -1):
            segment = Segment(writer, seq)
            if segment in listed:
                continue
            path = store.path(lake, segment)
            try:
                size = path.stat().st_size
            except OSError:
                if seq < oldest[writer]:
                    break  # in the table and unlinked, and so are those before it
                continue
            yield segment, path, size


def sealed(found: Found) -> bool:
    """True where nobody writes to the segment any more: a later one exists, or its owner is gone."""
    return found.followed or unlocked(found.path)


def unlocked(path: Path) -> bool:
    """True where no process holds the segment's lock, which its writer holds as long as it lives."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


def worth_committing(lake: Path) -> bool:
    """True where enough sealed segments wait that moving them to Parquet pays. Never raises."""
    try:
        found = segments(lake)
    except LakeError:
        return False
    # The sizes decide most of the time, before any lock is looked at.
    if sum(f.size_bytes for f in found) <= WORTH_BYTES and len(found) <= WORTH_SEGMENTS:
        return False
    waiting = [f for f in found if sealed(f)]
    return sum(f.size_bytes for f in waiting) > WORTH_BYTES or len(waiting) > WORTH_SEGMENTS
