"""Loads verified lines of the spool into a DuckDB table. Never alters a segment."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mcpobs import safefile
from mcpobs.lake.engine import Connection, quoted
from mcpobs.lake.schema import DERIVED, KEY, PENDING, REQUIRED, SPOOLED, TYPES
from mcpobs.segment import scan

# Reading 6,000 segments of 4 KB in place took 17 s and more than 1 GiB, because DuckDB keeps state for each file; from
# one copy it takes 0.3 s. Its buffers are also twice the longest object. So only large segments of short lines are read
# in place, which saves the copy.
_IN_PLACE_BYTES = 1 << 20
_LINE_BYTES = 1 << 20

PREFERENCE = (
    f"coalesce({PENDING}, false), (outcome is not distinct from 'unfinished'), duration_ns desc nulls last, "
    f"{', '.join(TYPES)}"
)
"""Order of several deliveries of one span: ended before pending, finished before unfinished, then the longest duration,
which holds most. Total, so that the order of arrival does not matter."""


@dataclass(frozen=True, slots=True)
class Content:
    """The whole lines of a segment. `rows` is None if DuckDB should read the file itself: it holds nothing else and
    will not change."""

    path: Path
    lines: int
    damaged: int
    longest_bytes: int
    rows: list[bytes] | None


@dataclass(frozen=True, slots=True)
class Loaded:
    """Counts: `rows` are in the table; `damaged` lines or requests are not; `repeated` rows were there already."""

    rows: int
    damaged: int
    repeated: int


def read(path: Path, *, growing: bool) -> Content:
    """Checks the lines of a segment. An unfinished last line is not damaged if the segment is still `growing`."""
    with os.fdopen(safefile.open_own(path, os.O_RDONLY), "rb") as file:
        content = file.read()
    if growing:
        content = content[: content.rfind(b"\n") + 1]
    found = scan(content)
    longest = max(map(len, found.rows), default=0)
    in_place = found.clean and not growing and len(content) >= _IN_PLACE_BYTES and longest < _LINE_BYTES
    return Content(path, len(found.rows), found.damaged, longest, None if in_place else found.rows)


def load(connection: Connection, table: str, contents: Sequence[Content], copy: Path) -> Loaded:
    """Creates a table with the lake's columns and one row per span.

    Rows that are not read in place are written to `copy` first, which is removed again. A value that does not fit its
    column becomes null; a line without ids or time is left out.
    """
    lines = sum(c.lines for c in contents)
    columns = ", ".join(f"{name} {type_}" for name, type_ in TYPES.items())
    connection.execute(f"create or replace table {table} ({columns})")
    in_place = [c.path for c in contents if c.rows is None]
    if in_place:
        _insert(connection, table, in_place, _LINE_BYTES)
    copied = [c for c in contents if c.rows]
    if copied:
        try:
            _write(copy, [c.rows for c in copied if c.rows])
            _insert(connection, table, [copy], max(c.longest_bytes for c in copied))
        finally:
            copy.unlink(missing_ok=True)
    ended = f"select count(*) from {table} where not coalesce({PENDING}, false)"
    usable, ends = _count(connection, f"select count(*) from {table}"), _count(connection, ended)
    rows = one_a_span(connection, table)
    damaged = sum(c.damaged for c in contents) + lines - usable
    return Loaded(rows=rows, damaged=damaged, repeated=ends - _count(connection, ended))


def _write(path: Path, parts: Iterable[list[bytes]]) -> None:
    with os.fdopen(safefile.open_own(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), "wb") as file:
        for rows in parts:
            file.write(b"\n".join(rows))
            file.write(b"\n")


def _insert(connection: Connection, table: str, files: list[Path], longest_bytes: int) -> None:
    paths = ", ".join(quoted(path) for path in files)
    columns = ", ".join(f"{quoted(name)}: {quoted(type_)}" for name, type_ in SPOOLED.items())
    selected = ", ".join(f"{DERIVED[name]} as {name}" if name in DERIVED else name for name in TYPES)
    usable = " and ".join(f"{name} is not null" for name in REQUIRED)
    connection.execute(
        f"insert into {table} select {selected} from read_json([{paths}], "
        f"format = 'newline_delimited', columns = {{{columns}}}, ignore_errors = true, "
        f"maximum_object_size = {max(_LINE_BYTES, longest_bytes + 1)}) where {usable}"
    )


def one_a_span(connection: Connection, table: str) -> int:
    """Leaves one row per span; returns the number of rows. The check costs 1 µs a row, removing repeated rows 3 µs."""
    key = ", ".join(KEY)
    repeated = _count(connection, f"select count(*) from (select 1 from {table} group by {key} having count(*) > 1)")
    if repeated:
        connection.execute(
            f"create or replace table {table} as select * from {table} "
            f"qualify row_number() over (partition by {key} order by {PREFERENCE}) = 1"
        )
    return _count(connection, f"select count(*) from {table}")


def _count(connection: Connection, query: str) -> int:
    return int(connection.execute(query).fetchall()[0][0])
