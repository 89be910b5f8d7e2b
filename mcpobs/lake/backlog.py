"""Which segments the spool holds, and whether it is worth a commit. Cheap: imports neither DuckDB nor deltalake.

The wrapper asks it at its end and when it rolls a segment. It never waits for a lock.
"""

from __future__ import annotations

import fcntl
import os
from dataclasses import dataclass
from pathlib import Path

from mcpobs.errors import LakeError
from mcpobs.segment import SPOOL_FOLDER, Segment, parse_name

WORTH_BYTES = 4 << 20
WORTH_SEGMENTS = 64


@dataclass(frozen=True, slots=True)
class Found:
    """A segment in the spool. `followed` is true where its writer has opened a later one: it grows no more."""

    segment: Segment
    path: Path
    size_bytes: int
    followed: bool


def segments(lake: Path) -> list[Found]:
    """The segments of the spool, by writer and place."""
    listed: list[tuple[Segment, Path, int]] = []
    try:
        with os.scandir(lake / SPOOL_FOLDER) as entries:
            for entry in entries:
                segment = parse_name(entry.name)
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
            f"cannot read {lake / SPOOL_FOLDER}: {error.strerror}", "check the permissions of the lake's folders"
        ) from None
    listed.sort()
    newest: dict[str, int] = {segment.writer: segment.seq for segment, _, _ in listed}
    return [Found(segment, path, size, segment.seq < newest[segment.writer]) for segment, path, size in listed]


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
