"""Converts segments of the collector's log into files of the table. Never alters a segment, and commits nothing.

A batch whose spans are all new and of one day, as nearly all are, goes straight from the decoder's columns into its
file. Any other batch first becomes a DuckDB table, in which single rows can be examined.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from time import gmtime, strftime
from typing import NamedTuple

import duckdb  # noqa: F401  # only the package, not its C module, lets DuckDB read Arrow streams

from mcpobs.folders import config_folder
from mcpobs.keys import digest_key, read_identity
from mcpobs.lake import parquet, repeated, sessions, wal
from mcpobs.lake.dialects import PLACES, identified, translated
from mcpobs.lake.dialects.names import LONGEST, MAX_BYTES
from mcpobs.lake.engine import Connection
from mcpobs.lake.hot import Loaded, one_a_span
from mcpobs.lake.lock import WORK_FOLDER, frugal
from mcpobs.lake.otlp.columns import MAX_EXPANDED_BYTES, is_expanding
from mcpobs.lake.otlp.decode import Batch, MalformedError, decode, expanded
from mcpobs.lake.otlp.request import Body
from mcpobs.lake.parquet import Times
from mcpobs.lake.repeated import Sought
from mcpobs.lake.schema import KEY, PARTITION, TIME, TYPES
from mcpobs.lake.snapshot import DataFile
from mcpobs.lake.times import DAY_NS, Accepted
from mcpobs.protocol.masks.finder import keyed
from mcpobs.settings import load_config

_RAW = "received_spans"
_ALL = sum(1 << place for place in PLACES)
_LONG = _ALL + 1
_MOST_PLANS = 8  # plus one for all later ones; each is kept in memory
_AGAIN_NS = DAY_NS
"""How long after its first delivery a span with an implausible start is recognised."""


class _Decoded:
    """The current batch's spans under one name: DuckDB requests a new stream each time it runs a statement."""

    def __init__(self) -> None:
        self.batch: Batch = decode([])

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.batch.__arrow_c_stream__(requested_schema)


class Receiving:
    """Processes batches of requests on one connection. `work` is a folder for unfinished files.

    Its statements are planned once: the dialects are 11 kB of SQL, and planning it (28 ms) takes as long as running it
    on 8,000 spans. DuckDB plans again after any change to its catalog, so the usual path creates no table.
    """

    def __init__(self, connection: Connection, work: Path) -> None:
        self.connection = connection
        self._decoded = _Decoded()
        self._received = 0
        config = load_config()
        self._idle_gap_ns = int(config.idle_gap_s * 1e9)
        self._accepted = Accepted(int(config.accept_older_than_s * 1e9), int(config.accept_ahead_s * 1e9))
        self._lake = work.parent
        self._draft = work / f"received{parquet.DRAFT_SUFFIX}"
        connection.register(_RAW, self._decoded)
        # else a long `in (...)` becomes a join, which combines small chunks and so exceeds their bounds
        connection.execute("set disabled_optimizers = 'in_clause'")
        self._planned: set[str] = set()
        self._redact = False
        connection.execute(f"prepare received_error_texts as select count(status_message) + count(events) from {_RAW}")
        connection.execute(
            # two keys with one hash take the longer path, as two spans with one key do
            f"prepare received_keys as select count(*), count(distinct hash({', '.join(KEY)})), min({TIME}), "
            f"max({TIME}), bit_or(1 << dialect) + if(max(longest_bytes) > {MAX_BYTES}, {_LONG}, 0) "
            f"from ({identified(_RAW)})"
        )

    @property
    def received_unix_nano(self) -> int:
        """Time of receipt of the batch."""
        return self._received

    @property
    def look_back_unix_nano(self) -> int:
        """Earliest start of a span received yesterday, however it was placed."""
        return self._received - self._accepted.older_ns - _AGAIN_NS

    def take(
        self, bodies: Sequence[Body], received_unix_nano: int, *, redact: bool = False, scrub: bool = False
    ) -> None:
        """Makes the spans of these requests the batch; with `redact` without their content. Masks personal data and
        secrets in error texts, and with `scrub` in every text."""
        self._redact = redact
        self._received = received_unix_nano
        self._decoded.batch = decode(bodies)
        [(error_texts,)] = self.connection.execute("execute received_error_texts").fetchall()
        if scrub or (error_texts and not redact):
            self._scrub(every_text=scrub)

    def _scrub(self, *, every_text: bool) -> None:
        from mcpobs.lake.otlp.scrubbing import ERROR_TEXTS, TEXTS, scrubbed  # takes 70 ms, few batches need it

        make = keyed(self._mask_key()) if every_text else None
        self._decoded.batch = scrubbed(self._decoded.batch, TEXTS if every_text else ERROR_TEXTS, make)

    def _mask_key(self) -> bytes:
        """The key of masks: equal values have equal masks in one lake, so callers stay apart."""
        return digest_key(read_identity(self._lake) or "", config_folder())

    def drop(self) -> None:
        """Drops the batch to free its memory for the next."""
        self._decoded.batch = decode([])

    @property
    def day(self) -> str:
        """The day of the receipt, as a partition name."""
        return strftime("%Y-%m-%d", gmtime(self._received // 10**9))

    def write(
        self, table: Path, known: Collection[DataFile], *, used: Collection[str] = (), one_day: bool = False
    ) -> tuple[Loaded, list[DataFile]] | None:
        """Writes the batch to a file of the table; no file if it has no spans. With `one_day`, spans of several days,
        or of a day that is not in `used`, go to the partition of their receipt.

        None if a span comes twice, if one of the `known` files may have a span, if spans are of several days, or if the
        session of an operation is still to be determined.
        """
        rows, keys, first, last, dialects = self.connection.execute("execute received_keys").fetchall()[0]
        loaded = Loaded(rows=rows, damaged=0, repeated=0)
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
        if unsettled or (date != last_date and not one_day):
            return None
        if date != last_date or (one_day and used and date not in used):
            date = self.day
        self.connection.execute(f"execute received_file_{plan}(received := {self._received})")
        reporters = parquet.reporters(self.connection, self._draft)
        return loaded, [parquet.place(self._draft, table, date, TYPES, rows, Times.of(times), reporters)]

    def _plan(self, dialects: int) -> str:
        """Prepares the statements for spans of these dialects (a bit for each, and one for long names) and returns
        their number. A sender uses one or two."""
        plan = f"{dialects}{'_redacted' if self._redact else ''}"
        if plan not in self._planned and len(self._planned) >= _MOST_PLANS and dialects != _ALL | _LONG:
            return self._plan(_ALL | _LONG)
        if plan not in self._planned:
            places = [place for place in PLACES if dialects >> place & 1]
            spans = self._translated(places, "$received", long_names=bool(dialects & _LONG))
            self.connection.execute(
                f"prepare received_days_{plan} as select min({PARTITION}), max({PARTITION}), "
                f"bool_or({sessions.UNSETTLED}), {parquet.TIMES} from ({spans})"
            )
            self.connection.execute(
                f"prepare received_file_{plan} as {parquet.copying(spans, TYPES, self._draft, sort=False)}"
            )
            self._planned.add(plan)
        return plan

    def tabulate(self, name: str) -> Loaded:
        """Creates a table of the batch, with the lake's columns and one row per span."""
        [(longest_bytes,)] = self.connection.execute(f"select max({LONGEST}) from {_RAW}").fetchall()
        spans = self._translated(PLACES, str(self._received), long_names=(longest_bytes or 0) > MAX_BYTES)
        self.connection.execute(f"create or replace table {name} as {spans}")
        rows = one_a_span(self.connection, name)
        return Loaded(rows=rows, damaged=0, repeated=self._decoded.batch.rows - rows)

    def _translated(self, places: Collection[int], received: str, *, long_names: bool) -> str:
        return translated(
            _RAW, places, received=received, accepted=self._accepted, long_names=long_names, redact=self._redact
        )

    def settle(self, name: str, table: Path, known: Collection[DataFile]) -> None:
        """Finds the sessions of operations in that table that have none."""
        sessions.settle(self.connection, name, table, known, self._idle_gap_ns)


class Requests(NamedTuple):
    """The requests of the first `segments` segments, in parts that are stored one after the other, and the number of
    damaged ones. `expanding`: they take many times their size when stored."""

    parts: list[list[Body]]
    damaged: int
    segments: int
    expanding: bool


def read(segments: Sequence[Path]) -> Requests:
    """Reads segments of the log: at least one, and no more than together repeat as many bytes as one request may.

    Each part has the same limit: many requests, each within it, would otherwise multiply. Only an older version writes
    a segment of several parts.
    """
    parts: list[list[Body]] = [[]]
    damaged = count = size = part = total = 0
    for path in segments:
        found = wal.read(path)
        sizes = [_expanded(body) for body in found.bodies]
        if count and total + sum(sizes) > MAX_EXPANDED_BYTES:
            break
        for body, more in zip(found.bodies, sizes, strict=True):
            if parts[-1] and part + more > MAX_EXPANDED_BYTES:
                parts.append([])
                part = 0
            parts[-1].append(body)
            part += more
            size += len(body)
        total += sum(sizes)
        damaged += found.damaged
        count += 1
    return Requests(parts, damaged, count, is_expanding(size, total))


def _expanded(body: Body) -> int:
    try:
        return expanded(body)
    except MalformedError:
        return 0  # decoding reports it


def keep(lake: Path) -> Receiving:
    """Returns a `Receiving` for a process that commits received requests repeatedly."""
    return Receiving(frugal(lake), lake / WORK_FOLDER)
