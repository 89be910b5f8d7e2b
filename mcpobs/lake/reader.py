"""Reads the lake: spool and Parquet as one table `spans`, each span once. Takes no lock and writes nothing to the lake.

The order makes concurrent commits harmless: list the spool, load the Delta log, leave out the segments that the log has
in the table, then load the remaining segments at once. A span that is committed meanwhile is in the loaded log; a span
that is written meanwhile did not exist when the reading began.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from mcpobs import temporary
from mcpobs.errors import LakeError
from mcpobs.lake import backlog, cold, hot, quarantine, repeated, snapshot
from mcpobs.lake.backlog import Found
from mcpobs.lake.engine import Connection, EngineError, Interrupted, connect, quoted
from mcpobs.lake.place import require_lake, table_of
from mcpobs.lake.schema import REPORTED, TIME, TYPES
from mcpobs.lake.snapshot import DataFile

HOT = "_hot"
"""The table of the spool's spans."""

_ENDS = "_hot_ends"
"""The table of the spans of the spool that have ended."""

FOREVER = 2**63 - 1
_REPORTING = "select distinct service_name, scope_name, front"
_TRIES = 20


class _Moved(Exception):
    """A committer moved a listed segment. The reading starts again."""


@dataclass(slots=True)
class Reading:
    """An open snapshot of the lake. Close it, or use it in a `with`."""

    lake: Path
    connection: Connection
    files: list[Path]
    damaged_files: list[tuple[Path, str]]
    damaged_lines: int
    hot_segments: int
    hot_bytes: int
    data_files: list[DataFile] = field(repr=False)
    """The Parquet files that are read; `files` has their paths."""
    bounds: tuple[int, int] | None = field(repr=False)
    """The time window of the operations read; None if another filter applies or no roll-up may be used."""
    _filter: str = field(repr=False)
    _private: Path | None = field(repr=False)
    outdated: frozenset[str] = field(default=frozenset(), repr=False)
    """The files with pending rows of spans whose ends are in the spool: not all of their rows are read."""
    valid: str | None = field(default=None, repr=False)
    """The condition of the rows of `outdated` that are read."""
    spool: str | None = field(default=None, repr=False)
    """The table of the spans that are not in a Parquet file; None if there are none."""
    reporters: str = field(default="", repr=False)
    """A select of the reporters of MCP server operations: service, scope and front."""

    @property
    def implausible_times(self) -> int:
        """Spans with an implausible time in `files`; some may lie outside of the window."""
        return sum(file.implausible_times for file in self.data_files)

    def exclude_damaged(self) -> bool:
        """Reads every file in full and leaves out those that fail; returns True if it found one.

        Call it after a query failed inside a file with a sound footer, then retry the query.
        """
        table = table_of(self.lake)
        bad = {file.path: why for file in self.data_files if (why := cold.hidden_damage(self.connection, table, file))}
        self.damaged_files.extend((table / path, why) for path, why in bad.items())
        self.data_files = [file for file in self.data_files if file.path not in bad]
        _define_spans(self)
        return bool(bad)

    def read_all(self) -> bool:
        """Stops using roll-ups; returns True if one could have been used.

        Call it after a query failed although no file of the table is damaged: a roll-up may be.
        """
        had, self.bounds = self.bounds is not None and bool(self.data_files), None
        return had

    def close(self) -> None:
        _discard(self.connection, self._private)
        self._private = None

    def __enter__(self) -> Reading:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_reading(
    lake: Path,
    *,
    since_unix_nano: int | None = None,
    until_unix_nano: int | None = None,
    service: str | None = None,
) -> Reading:
    """Opens the lake with a table `spans` of all columns of semconv.COLUMNS, in that order.

    It holds the operations that began in [since, until), of one service if one is named. Files that cannot be read are
    left out and listed in `damaged_files`. Raises LakeError if there is no lake or it cannot be read.
    """
    require_lake(lake)
    private = temporary.make()
    connection = connect(spill=private)
    try:
        for _ in range(_TRIES):
            try:
                return _open(lake, connection, private, since_unix_nano, until_unix_nano, service)
            except _Moved:
                continue
        raise LakeError(f"the spool of {lake} keeps changing while it is read", "try again")
    except EngineError as error:
        _discard(connection, private)
        reason = quarantine.described(error)
        raise LakeError(
            f"cannot read the lake at {lake}: {reason}", "`mcpobs lake info` lists the damaged files"
        ) from error
    except BaseException:
        _discard(connection, private)
        raise


def _open(
    lake: Path,
    connection: Connection,
    private: Path | None,
    since: int | None,
    until: int | None,
    service: str | None,
) -> Reading:
    found = backlog.segments(lake)
    table = table_of(lake)
    state = snapshot.load(table, lambda: connection)
    fresh = [f for f in found if f.segment.seq > state.covered(f.segment.writer)]
    damaged_lines, damaged = _load_hot(connection, private, lake, fresh)

    data: list[DataFile] = []
    elsewhere: list[DataFile] = []  # with spans whose sent start is in the window but that are placed at their receipt
    for file in state.files.values():
        if not file.overlaps(since, until):
            if file.sent is not None:
                elsewhere.append(file)
            continue
        if why := cold.visible_damage(table, file):
            damaged.append((table / file.path, why))
        else:
            data.append(file)
    reading = Reading(
        lake=lake,
        connection=connection,
        files=[],
        damaged_files=damaged,
        damaged_lines=damaged_lines,
        hot_segments=len(fresh),
        hot_bytes=sum(f.size_bytes for f in fresh),
        data_files=data,
        bounds=None if service is not None else (since or 0, FOREVER if until is None else until),
        _filter=_filter(since, until, service),
        _private=private,
    )
    dropped = repeated.drop_known(connection, HOT, table, [*data, *elsewhere])
    if dropped.outdated:
        repeated.keep_ends(connection, HOT, _ENDS)
        reading.outdated = frozenset(file.path for file in dropped.outdated)
        reading.valid = repeated.still_valid(_ENDS)
    try:
        _define_spans(reading)
    except EngineError:
        if not reading.exclude_damaged():
            raise
    return reading


def _load_hot(
    connection: Connection, private: Path | None, lake: Path, fresh: list[Found]
) -> tuple[int, list[tuple[Path, str]]]:
    """Loads the segments into the table `_hot`; returns the number of damaged lines, and the segments left out because
    they cannot be loaded."""
    contents = []
    damaged: list[tuple[Path, str]] = []
    for f in fresh:
        try:
            contents.append(hot.read(f.path, growing=not f.followed))
        except FileNotFoundError:
            raise _Moved from None
        except PermissionError as error:
            raise LakeError(f"cannot read {f.path}: {error.strerror}", "check the permissions of the spool") from None
        except (OSError, MemoryError) as error:
            damaged.append((f.path, quarantine.described(error)))
    if private is None and any(c.rows for c in contents):
        raise LakeError("no folder for temporary files can be written", "set TMPDIR to a writable folder")
    copy = (private or lake) / "hot.jsonl"  # not written if there is no private folder
    try:
        loaded = hot.load(connection, HOT, contents, copy)
    except Interrupted:
        raise  # the caller interrupted the query; the segments may be sound
    except (EngineError, MemoryError):
        if not all(f.path.exists() for f in fresh):
            raise _Moved from None
        good, bad = _loadable(connection, contents, copy)
        if not bad:
            raise
        loaded = hot.load(connection, HOT, good, copy)
        damaged += bad
    except OSError as error:
        raise LakeError(f"cannot write {copy}: {error.strerror}", "free some space, or set TMPDIR") from None
    return loaded.damaged, damaged


def _loadable(
    connection: Connection, contents: list[hot.Content], copy: Path
) -> tuple[list[hot.Content], list[tuple[Path, str]]]:
    """Returns the segments that can be loaded, and the others with the reason; found by bisection."""
    try:
        hot.load(connection, HOT, contents, copy)
    except Interrupted:
        raise
    except (EngineError, MemoryError) as error:
        if len(contents) == 1:
            return [], [(contents[0].path, quarantine.described(error))]
        middle = len(contents) // 2
        good, bad = _loadable(connection, contents[:middle], copy)
        more_good, more_bad = _loadable(connection, contents[middle:], copy)
        return good + more_good, bad + more_bad
    return contents, []


def _define_spans(reading: Reading) -> None:
    parts = []
    table = table_of(reading.lake)
    if reading.data_files:
        stored = cold.relation(reading.connection, table, reading.data_files)
        if reading.valid is not None:
            stored = f"select * from ({stored}) where {reading.valid}"
        parts.append(f"select * from ({stored}){reading._filter}")
    rows = reading.connection.execute("select count(*) from _hot").fetchall()[0][0]
    if rows or not parts:
        parts.append(f"select {', '.join(TYPES)} from _hot{reading._filter}")
    reading.connection.execute(f"create or replace view spans as {' union all '.join(parts)}")
    reading.spool = HOT if rows else None
    reading.reporters = _reporters(reading, table)
    reading.files = [table / file.path for file in reading.data_files]


def _reporters(reading: Reading, table: Path) -> str:
    """Returns a select of the reporters of operations, from the log if it has them: scanning a million rows takes 40
    ms."""
    parts = ["select null as service_name, null as scope_name, null as front where false"]
    known = {reporter for file in reading.data_files for reporter in file.reporters or ()}
    for reporter in known:
        parts.append(f"select {', '.join('null' if part is None else quoted(part) for part in reporter)}")
    asked = [file for file in reading.data_files if file.reporters is None]
    if asked:
        parts.append(f"{_REPORTING} from ({cold.relation(reading.connection, table, asked)}) where {REPORTED}")
    if reading.spool is not None:
        parts.append(f"{_REPORTING} from {reading.spool} where {REPORTED}")
    return " union all ".join(parts)


def _filter(since: int | None, until: int | None, service: str | None) -> str:
    terms = []
    if since is not None:
        terms.append(f"{TIME} >= {since}")
    if until is not None:
        terms.append(f"{TIME} < {until}")
    if service is not None:
        terms.append(f"service_name = {quoted(service)}")
    return f" where {' and '.join(terms)}" if terms else ""


def _discard(connection: Connection, private: Path | None) -> None:
    connection.close()
    if private is not None:
        temporary.remove(private)
