"""Moves segments of the collector's log into files of the table. Never alters a segment, and commits nothing.

A batch whose spans are all new and of one day, as nearly all are, goes straight from the decoder's columns into its
file. Any other becomes a DuckDB table first, in which rows can be looked at one by one.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import duckdb  # noqa: F401  # the package, not its C module alone, lets DuckDB read Arrow streams

from mcpobs.lake import parquet, repeated, sessions, wal
from mcpobs.lake.dialects import PLACES, identified, translated
from mcpobs.lake.engine import Connection
from mcpobs.lake.hot import Loaded, one_a_span
from mcpobs.lake.lock import WORK_FOLDER, frugal
from mcpobs.lake.otlp.decode import Batch, decode
from mcpobs.lake.parquet import Times
from mcpobs.lake.repeated import Sought
from mcpobs.lake.schema import KEY, PARTITION, TIME, TYPES
from mcpobs.lake.snapshot import DataFile
from mcpobs.lake.times import DAY_NS, Accepted
from mcpobs.settings import load_config

_RAW = "received_spans"
_ALL = sum(1 << place for place in PLACES)
_MOST_PLANS = 8  # and one for all that come later; each is kept in memory
_AGAIN_NS = DAY_NS
"""How long after its first delivery a span with an implausible start is recognised."""


class _Decoded:
    """The spans of the moment, under one name: DuckDB asks for the stream anew each time it runs a statement."""

    def __init__(self) -> None:
        self.batch: Batch = decode([])

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.batch.__arrow_c_stream__(requested_schema)


class Receiving:
    """A connection, and one batch of requests after the other on it. `work` is a folder for what is not finished.

    Its statements are planned once: what the dialects say is 11 kB of SQL, and planning it (28 ms) takes as long as
    running it on 8,000 spans. DuckDB plans them anew after any change to its catalog, so the usual way makes no table.
    """

    def __init__(self, connection: Connection, work: Path) -> None:
        self.connection = connection
        self._decoded = _Decoded()
        self._damaged = 0
        self._received = 0
        config = load_config()
        self._idle_gap_ns = int(config.idle_gap_s * 1e9)
        self._accepted = Accepted(int(config.accept_older_than_s * 1e9), int(config.accept_ahead_s * 1e9))
        self._draft = work / f"received{parquet.DRAFT_SUFFIX}"
        connection.register(_RAW, self._decoded)
        self._planned: set[int] = set()
        connection.execute(
            # two keys with one hash take the longer way, as two spans with one key do
            f"prepare received_keys as select count(*), count(distinct hash({', '.join(KEY)})), min({TIME}), "
            f"max({TIME}), bit_or(1 << dialect) from ({identified(_RAW)})"
        )

    @property
    def received_unix_nano(self) -> int:
        """When the batch was received."""
        return self._received

    @property
    def look_back_unix_nano(self) -> int:
        """How far back a span lies that was received yesterday, however it was placed."""
        return self._received - self._accepted.older_ns - _AGAIN_NS

    def take(self, segments: Sequence[Path]) -> None:
        """Makes the spans of these segments the batch. It was received when the last of them was written to: the time
        of a file stays what it is, however often its commit is tried."""
        self._received = max(path.stat().st_mtime_ns for path in segments)
        read = [wal.read(path) for path in segments]
        self._damaged = sum(found.damaged for found in read)
        self._decoded.batch = decode([body for found in read for body in found.bodies])

    def drop(self) -> None:
        """Forgets the batch: its memory is wanted for the next."""
        self._decoded.batch = decode([])

    def write(self, table: Path, known: Collection[DataFile]) -> tuple[Loaded, list[DataFile]] | None:
        """Writes the batch to a file of the table; no file where it has no spans.

        None where it has a span that comes twice, or that one of the `known` files may have, or spans of several days,
        or operations whose session is still to be found out.
        """
        rows, keys, first, last, dialects = self.connection.execute("execute received_keys").fetchall()[0]
        loaded = Loaded(rows=rows, damaged=self._damaged, repeated=0)
        if not rows:
            return loaded, []
        if keys != rows:
            return None
        keyed = identified(_RAW)
        stretches = [(first, last)] if last - first < DAY_NS else repeated.stretches(self.connection, keyed)
        if repeated.any_known(self.connection, keyed, table, known, Sought(stretches, self.look_back_unix_nano)):
            return None
        plan = self._plan(dialects)
        date, last_date, unsettled, *times = self.connection.execute(
            f"execute received_days_{plan}(received := {self._received})"
        ).fetchall()[0]
        if date != last_date or unsettled:
            return None
        self.connection.execute(f"execute received_file_{plan}(received := {self._received})")
        reporters = parquet.reporters(self.connection, self._draft)
        return loaded, [parquet.place(self._draft, table, date, TYPES, rows, Times.of(times), reporters)]

    def _plan(self, dialects: int) -> int:
        """The statements that there are for spans of these dialects, a bit for each. A sender has one or two."""
        if dialects not in self._planned and len(self._planned) >= _MOST_PLANS:
            dialects = _ALL
        if dialects not in self._planned:
            places = [place for place in PLACES if dialects >> place & 1]
            spans = translated(_RAW, places, received="$received", accepted=self._accepted)
            self.connection.execute(
                f"prepare received_days_{dialects} as select min({PARTITION}), max({PARTITION}), "
                f"bool_or({sessions.UNSETTLED}), {parquet.TIMES} from ({spans})"
            )
            self.connection.execute(
                f"prepare received_file_{dialects} as {parquet.copying(spans, TYPES, self._draft, sort=False)}"
            )
            self._planned.add(dialects)
        return dialects

    def tabulate(self, name: str) -> Loaded:
        """Makes a table of the batch, with the lake's columns and one row a span."""
        spans = translated(_RAW, received=str(self._received), accepted=self._accepted)
        self.connection.execute(f"create or replace table {name} as {spans}")
        rows = one_a_span(self.connection, name)
        return Loaded(rows=rows, damaged=self._damaged, repeated=self._decoded.batch.rows - rows)

    def settle(self, name: str, table: Path, known: Collection[DataFile]) -> None:
        """Finds the sessions of operations in that table which bring none."""
        sessions.settle(self.connection, name, table, known, self._idle_gap_ns)


def keep(lake: Path) -> Receiving:
    """For a process that commits what is received, again and again."""
    return Receiving(frugal(lake), lake / WORK_FOLDER)
