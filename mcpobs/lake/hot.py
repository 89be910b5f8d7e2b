"""Loads verified lines of the spool into a DuckDB table. Never alters a segment."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mcpobs.lake.engine import Connection, quoted
from mcpobs.lake.schema import DERIVED, KEY, REQUIRED, SPOOLED, TYPES
from mcpobs.segment import Scan, scan

_OBJECT_BYTES = 16 << 20  # DuckDB's own limit of a JSON object, raised where a line is longer

# Of several deliveries of one span the finished one wins, then the longest: the one that says most.
_PREFERENCE = "(outcome is not distinct from 'unfinished'), duration_ns desc, start_unix_nano"


@dataclass(frozen=True, slots=True)
class Loaded:
    """`rows` are in the table; `unusable` were whole lines and yet no row; `repeated` were there already."""

    rows: int
    unusable: int
    repeated: int


def scan_segment(content: bytes, *, growing: bool) -> Scan:
    """The whole lines of a segment. Where it may still grow, its unfinished last line is not damaged."""
    if growing:
        content = content[: content.rfind(b"\n") + 1]
    return scan(content)


def write_lines(path: Path, scans: Iterable[Scan]) -> None:
    """Writes the whole lines of segments to a file of the caller's own (0600 by the caller's umask or folder)."""
    with path.open("wb") as file:
        for found in scans:
            if found.rows:
                file.write(b"\n".join(found.rows))
                file.write(b"\n")


def load(connection: Connection, table: str, files: Sequence[Path], lines: int, longest: int) -> Loaded:
    """Makes a table of the lake's columns out of files of `lines` verified lines, one row a span.

    A value that does not fit its column becomes null; a line without ids or time is no row.
    """
    paths = ", ".join(quoted(path) for path in files)
    columns = ", ".join(f"{quoted(name)}: {quoted(type_)}" for name, type_ in SPOOLED.items())
    source = (
        f"read_json([{paths}], format = 'newline_delimited', columns = {{{columns}}}, ignore_errors = true, "
        f"maximum_object_size = {max(_OBJECT_BYTES, longest + 1)})"
    )
    selected = ", ".join(f"{DERIVED[name]} as {name}" if name in DERIVED else name for name in TYPES)
    usable = " and ".join(f"{name} is not null" for name in REQUIRED)
    connection.execute(f"create or replace table {table}_lines as select * from {source} where {usable}")
    key = ", ".join(KEY)
    connection.execute(
        f"create or replace table {table} as select {selected} from {table}_lines "
        f"qualify row_number() over (partition by {key} order by {_PREFERENCE}) = 1"
    )
    usable_lines, rows = _counts(connection, f"{table}_lines"), _counts(connection, table)
    connection.execute(f"drop table {table}_lines")
    return Loaded(rows=rows, unusable=lines - usable_lines, repeated=usable_lines - rows)


def _counts(connection: Connection, table: str) -> int:
    row = connection.execute(f"select count(*) from {table}").fetchone()
    return 0 if row is None else int(row[0])
