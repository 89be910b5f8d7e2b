"""Moves segments of the collector's log into files of the table. Never alters a segment, and commits nothing.

A batch whose spans are all new and of one day, as nearly all are, goes straight from the decoder's columns into its
file. Any other becomes a DuckDB table first, in which rows can be looked at one by one.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import duckdb  # noqa: F401  # the package, not its C module alone, lets DuckDB read Arrow streams

from mcpobs.lake import parquet, repeated, sessions, wal
from mcpobs.lake.dialects import PLACES, placed, translated
from mcpobs.lake.engine import Connection
from mcpobs.lake.hot import Loaded, one_a_span
from mcpobs.lake.lock import WORK_FOLDER, frugal
from mcpobs.lake.otlp.decode import Batch, decode
from mcpobs.lake.schema import KEY, PARTITION, TIME, TYPES
from mcpobs.lake.snapshot import DataFile
from mcpobs.settings import load_config

_RAW = "received_spans"
_ALL = sum(1 << place for place in PLACES)
_MOST_STATEMENTS = 8  # and one for all that come later; each keeps its plan


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
        self._idle_gap_ns = int(load_config().idle_gap_s * 1e9)
        self._draft = work / f"received{parquet.DRAFT_SUFFIX}"
        connection.register(_RAW, self._decoded)
        self._files: dict[int, str] = {}
        facts = [
            "count(*)",
            f"count(distinct hash({', '.join(KEY)}))",  # two keys with one hash take the longer way
            *(f"{end}({column})" for column in (TIME, PARTITION) for end in ("min", "max")),
            f"bool_or({sessions.UNSETTLED})",
        ]
        connection.execute(
            f"prepare received_facts as select * from (select {', '.join(facts)} from ({translated(_RAW)})), "
            f"(select bit_or(1 << dialect) from ({placed(_RAW)}))"
        )

    def take(self, segments: Sequence[Path]) -> None:
        """Makes the spans of these segments the batch."""
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
        facts = self.connection.execute("execute received_facts").fetchall()[0]
        rows, keys, first, last, date, last_date, unsettled, dialects = facts
        loaded = Loaded(rows=rows, damaged=self._damaged, repeated=0)
        if not rows:
            return loaded, []
        if keys != rows or date != last_date or unsettled:
            return None
        if repeated.any_known(self.connection, _RAW, table, known, first, last):
            return None
        self.connection.execute(f"execute {self._file(dialects)}")
        return loaded, [parquet.place(self._draft, table, date, TYPES, rows, first, last)]

    def _file(self, dialects: int) -> str:
        """The statement that writes a file of spans of these dialects, a bit for each. A sender has one or two."""
        if dialects not in self._files and len(self._files) >= _MOST_STATEMENTS:
            dialects = _ALL
        if dialects not in self._files:
            self._files[dialects] = f"received_file_{dialects}"
            spans = translated(_RAW, [place for place in PLACES if dialects >> place & 1])
            self.connection.execute(
                f"prepare {self._files[dialects]} as {parquet.copying(spans, TYPES, self._draft, sort=False)}"
            )
        return self._files[dialects]

    def tabulate(self, name: str) -> Loaded:
        """Makes a table of the batch, with the lake's columns and one row a span."""
        self.connection.execute(f"create or replace table {name} as {translated(_RAW)}")
        rows = one_a_span(self.connection, name)
        return Loaded(rows=rows, damaged=self._damaged, repeated=self._decoded.batch.rows - rows)

    def settle(self, name: str, table: Path, known: Collection[DataFile]) -> None:
        """Finds the sessions of operations in that table which bring none."""
        sessions.settle(self.connection, name, table, known, self._idle_gap_ns)


def keep(lake: Path) -> Receiving:
    """For a process that commits what is received, again and again."""
    return Receiving(frugal(lake), lake / WORK_FOLDER)
