"""The spans that queries read: a relation of the connection, and what is known of the files behind it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mcpobs.lake.reader import FOREVER, Reading
from mcpobs.lake.snapshot import DataFile

RELATION = "spans"
"""The relation of a connection with one row a span, and every column of the lake."""


@dataclass(frozen=True, slots=True)
class Source:
    """Spans to be read. Without a lake nothing is known but the relation itself."""

    lake: Path | None = None
    files: tuple[DataFile, ...] = ()
    """The Parquet files of the relation."""
    uses_rollups: bool = False
    """Whether roll-ups may stand for files: not if rows of the files are left out by anything but their time."""
    since: int = 0
    until: int = FOREVER
    """The bounds of the relation, in unix nanoseconds."""
    spool: str | None = None
    """The table of the spans that are in no Parquet file; None if there are none."""
    outdated: frozenset[str] = frozenset()
    """The files with rows that later rows of the spool supersede: no roll-up stands for them."""
    valid: str | None = None
    """The condition of the rows of `outdated` that belong to the relation."""
    reporters: str | None = None
    """A select of who reported operations, if that is known without reading the spans."""


def source_of(reading: Reading) -> Source:
    """The spans of an open reading as it is now. A reading that leaves out another damaged file is another source."""
    since, until = reading.bounds or (0, FOREVER)
    return Source(
        lake=reading.lake,
        files=tuple(reading.data_files),
        uses_rollups=reading.bounds is not None,
        since=since,
        until=until,
        spool=reading.spool,
        outdated=reading.outdated,
        valid=reading.valid,
        reporters=reading.reporters,
    )
